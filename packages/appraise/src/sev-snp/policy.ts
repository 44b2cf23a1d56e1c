import * as z from "zod";
import { AMD_ROOT_KEYS } from "./trust-anchors.ts";
import { PRODUCTS } from "./product.ts";

/** Entries a list of the policy may have. */
const MAX_LIST = 1024;

const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`), `${bytes} bytes in lowercase hex`);
const hexList = (bytes: number) => z.array(hex(bytes)).max(MAX_LIST).default([]);
const chipIds = z
  .array(z.string().regex(/^(?:[0-9a-f]{16}|[0-9a-f]{128})$/, "8 or 64 bytes in lowercase hex"))
  .max(MAX_LIST)
  .default([]);
const rule = z.enum(["required", "forbidden", "any"]);
const byte = z.int().min(0).max(255);
const vector = z
  .string()
  .regex(/^0x[0-9a-f]{1,16}$/, "0x and up to 16 lowercase hex digits")
  .default("0x0");
const tcb = { bootloader: byte, tee: byte, snp: byte, microcode: byte };

const guestPolicy = z.strictObject({
  debug: z
    .enum(["forbidden", "any"])
    .default("forbidden")
    .describe("Bit 19: the host may read and change the guest through debug calls."),
  migration_agent: rule
    .default("forbidden")
    .describe("Bit 18: a migration agent may be bound to the guest, and then knows its keys."),
  smt: rule.default("any").describe("Bit 16: the guest may run where two threads share a core."),
  single_socket: rule.default("any").describe("Bit 20: the guest may run on one socket only."),
  cxl: rule.default("forbidden").describe("Bit 21: the guest may run where memory is attached over CXL."),
  aes_256_xts: rule.default("any").describe("Bit 22: the guest asks for AES-256-XTS memory encryption."),
  rapl_disabled: rule.default("any").describe("Bit 23: the guest asks that power readings be off."),
  ciphertext_hiding: rule.default("any").describe("Bit 24: the guest asks that the host cannot read its ciphertext."),
  page_swap_disabled: rule
    .default("any")
    .describe("Bit 25: the guest asks that the host cannot move or swap its pages."),
  unknown_bits: z.enum(["forbidden", "any"]).default("forbidden").describe("Bits without a known meaning."),
  min_abi: z
    .strictObject({ major: byte, minor: byte })
    .optional()
    .describe("Least firmware interface version the guest must have asked for; absent for any."),
});

const platform = z.strictObject({
  smt: rule.default("any").describe("Bit 0: two threads share a core on this machine."),
  tsme: rule.default("any").describe("Bit 1: transparent memory encryption is on."),
  ecc: rule.default("any").describe("Bit 2: memory has error correction."),
  rapl_disabled: rule.default("any").describe("Bit 3: power readings are off."),
  ciphertext_hiding: rule.default("any").describe("Bit 4: the host cannot read ciphertext of guests."),
  alias_check: rule
    .default("required")
    .describe("Bit 5: the firmware found no memory aliases since the last reset (AMD-SB-3015)."),
  iommu_write_safe: rule.default("any").describe("Bit 6: devices' writes cannot reach guest memory."),
  tio: rule.default("any").describe("Bit 7: trusted devices are on."),
  unknown_bits: z.enum(["forbidden", "any"]).default("forbidden").describe("Bits without a known meaning."),
});

const tcbRules = z.strictObject({
  floors: z
    .strictObject({
      Milan: z.strictObject(tcb),
      Genoa: z.strictObject(tcb),
      Turin: z.strictObject({ fmc: byte, ...tcb }),
    })
    .partial()
    .default({})
    .describe(
      "Least security versions by product, for the reported TCB and the one at launch; a product left out has " +
        "the floor this version ships.",
    ),
  provisional_firmware: z
    .enum(["forbidden", "any"])
    .default("forbidden")
    .describe("Firmware or microcode newer than the committed one, which the host may still take back."),
  min_firmware: z
    .strictObject({ major: byte, minor: byte, build: byte })
    .optional()
    .describe("Least committed firmware version; absent for any."),
  launch_mitigations: vector.describe("Bits that LAUNCH_MIT_VECTOR must have (report version 5)."),
  current_mitigations: vector.describe("Bits that CURRENT_MIT_VECTOR must have (report version 5)."),
});

const idBlock = z.strictObject({
  required: z.boolean().default(false).describe("The guest must have been launched with a signed ID block."),
  id_key_digests: hexList(48).describe("SHA-384 digests of ID keys that may have signed it; empty for any."),
  author_key_digests: hexList(48).describe(
    "SHA-384 digests of author keys that may have signed the ID key; empty for any or none.",
  ),
  family_ids: hexList(16).describe("Accepted FAMILY_ID; empty for any."),
  image_ids: hexList(16).describe("Accepted IMAGE_ID; empty for any."),
  min_guest_svn: z
    .int()
    .min(0)
    .max(0xffff_ffff)
    .default(0)
    .describe("Least GUEST_SVN; above 0 an ID block is required."),
});

/** The `sev_snp` part of the appraisal policy. What is left out has the strict value. */
export const sevSnpPolicySchema = z.strictObject({
  authenticity_only: z
    .boolean()
    .default(false)
    .describe("Check form, signature and certificates, and appraise nothing else."),
  products: z
    .array(z.enum(PRODUCTS))
    .min(1)
    .max(PRODUCTS.length)
    .default([...PRODUCTS])
    .describe("Accepted product lines."),
  trust_anchors: z
    .array(z.strictObject({ product: z.enum(PRODUCTS), certificate_sha256: hex(32) }))
    .min(1)
    .max(16)
    .default(AMD_ROOT_KEYS.map(({ product, sha256 }) => ({ product, certificate_sha256: sha256 })))
    .describe("Root keys (ARK) by the SHA-256 of their DER certificate, with the product each is of."),
  endorsement_keys: z
    .array(z.enum(["VCEK", "VLEK"]))
    .min(1)
    .max(2)
    .default(["VCEK"])
    .describe("Kinds of keys that may have signed: of the chip, or loaded by a cloud provider."),
  vlek_providers: z
    .array(z.string().min(1).max(128))
    .max(64)
    .default([])
    .describe(
      "Accepted provider names (csp_id) of a VLEK; `*` stands for letters, digits and hyphens. A VLEK of any other provider fails.",
    ),
  min_report_version: z
    .int()
    .min(2)
    .max(5)
    .default(3)
    .describe("Least report version; 2 carries neither processor nor alias check."),
  reserved_fields: z
    .enum(["forbidden", "any"])
    .default("forbidden")
    .describe("Bytes that the report's version reserves and that are not zero."),
  vmpl: z
    .array(z.int().min(0).max(3))
    .min(1)
    .max(4)
    .default([0])
    .describe(
      "Privilege levels the report may have been asked from; above 0 other software in the guest has more rights.",
    ),
  guest_policy: guestPolicy.prefault({}).describe("What the guest was launched with (POLICY)."),
  platform: platform.prefault({}).describe("What the machine says of itself (PLATFORM_INFO)."),
  tcb: tcbRules.prefault({}).describe("Versions of firmware and microcode."),
  chips: z
    .strictObject({
      allow: chipIds.describe("CHIP_ID of accepted machines; empty for any. Turin's has 8 bytes, the others' 64."),
      deny: chipIds.describe("CHIP_ID of machines that are refused; AMD's revocation lists cannot name one."),
      masked: z.enum(["forbidden", "any"]).default("forbidden").describe("A VCEK report without its CHIP_ID."),
    })
    .prefault({})
    .describe("Which machines."),
  id_block: idBlock.prefault({}).describe("The signed ID block of the launch."),
  measurements: hexList(48).describe(
    "Accepted launch measurements; empty leaves the check to the caller's expectation.",
  ),
  host_data: z
    .strictObject({
      accepted: hexList(32).describe("Accepted HOST_DATA when the caller expects no launch digest."),
      unexpected: z
        .enum(["forbidden", "any"])
        .default("forbidden")
        .describe("HOST_DATA that is not zero and that nobody expects."),
    })
    .prefault({})
    .describe("What the launch was bound to (HOST_DATA)."),
  stale_lists: z
    .enum(["fail", "accept"])
    .default("fail")
    .describe("A revocation list that does not cover the time: fails, or counts as none."),
});

export type SevSnpPolicy = z.infer<typeof sevSnpPolicySchema>;

/** The policy with every key at its strict default. */
export const STRICT_SEV_SNP_POLICY: SevSnpPolicy = sevSnpPolicySchema.parse({});
