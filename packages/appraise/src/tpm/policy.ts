import * as z from "zod";
import {
  AZURE_VIRTUAL_TPM_ROOT_SPKI_SHA256,
  GOOGLE_EK_AK_ROOT_SPKI_SHA256,
  GOOGLE_TPM_ROOT_SPKI_SHA256,
} from "./anchors.ts";
import { LAUNCH_REGISTER } from "./launch-register.ts";
import { QUOTED_REGISTERS } from "./quoted-registers.ts";

const MAX_VALUES = 256;
const FIRMWARE_REGISTERS = [0, 1, 2, 3, 4, 5, 6, 7];
const IMA_REGISTER = 10;

const digest = z
  .string()
  .regex(/^(?:[0-9a-fA-F]{64}|[0-9a-fA-F]{96}|[0-9a-fA-F]{128})$/, "not 32, 48 or 64 bytes in hex")
  .toLowerCase();
const keyHash = z
  .string()
  .regex(/^[0-9a-fA-F]{64}$/, "not 32 bytes in hex")
  .toLowerCase();
const register = z.int().min(0).max(23);
const registerSet = z.array(register).min(1).max(24);

const eventLog = z.strictObject({
  separators: z
    .array(z.int().min(0).max(7))
    .max(8)
    .default(FIRMWARE_REGISTERS)
    .describe(
      "PCRs that must have exactly one separator between firmware and operating system. Default: 0 to 7. Some " +
        "physical machines measure an empty record into PCR 0, which has the digest of a separator; they need a " +
        "list without 0.",
    ),
  exit_boot_services: z
    .boolean()
    .default(true)
    .describe("Require the measured end of UEFI boot services. Logs that the kernel cut before it lack the event."),
  secure_boot: z
    .enum(["required", "any"])
    .default("any")
    .describe("Whether UEFI secure boot must be on by what PCR 7 measured."),
  extended_later: z
    .array(register)
    .max(24)
    .default([IMA_REGISTER, LAUNCH_REGISTER])
    .describe(
      "PCRs that the running system extends, which a boot log cannot explain. Default: 10, the kernel's file " +
        "integrity measurement, and 15, the launch digest, which has a check of its own.",
    ),
});

/** Ways a quote's qualifying data can carry report data. */
export const QUALIFYING_FORMS = ["cmcp-tpm-v1", "exact", "sha256"] as const;
export type QualifyingForm = (typeof QUALIFYING_FORMS)[number];

/** Appraisal of a quote, the same for a TPM on its own and for one inside a confidential VM. */
export const quotePolicySchema = z.strictObject({
  selections: z
    .array(registerSet)
    .max(16)
    .default([
      [...QUOTED_REGISTERS],
      Array.from({ length: 16 }, (_, index) => index),
      Array.from({ length: 24 }, (_, index) => index),
    ])
    .describe(
      "Accepted sets of quoted PCRs; the quote must be over exactly one of them, in each of its banks. Default: " +
        "what this project quotes, or 0 to 15, or all. Firmware alone (0 to 7) leaves out the kernel.",
    ),
  banks: z
    .array(z.enum(["sha256", "sha384", "sha512"]))
    .min(1)
    .max(3)
    .default(["sha256", "sha384"])
    .describe("Accepted PCR banks. SHA-1 cannot be accepted."),
  measurements: z
    .array(digest)
    .max(MAX_VALUES)
    .default([])
    .describe("Accepted digests over all quoted PCRs. Empty: only what the caller expects is compared."),
  registers: z
    .record(z.string().regex(/^(?:[0-9]|1[0-9]|2[0-3])$/, "a PCR is 0 to 23"), z.array(digest).min(1).max(MAX_VALUES))
    .default({})
    .describe(
      'Accepted values by PCR, of the quoted bank: for example {"4": [...], "9": [...]}. PCRs not named are not compared.',
    ),
  event_log: eventLog.default(() => eventLog.parse({})).describe("What an event log has to show, when one is given."),
  safe_clock: z
    .boolean()
    .default(true)
    .describe("Require that the TPM's clock never showed a later value: it is not after an unorderly power loss."),
  qualifying_data: z
    .array(z.enum(QUALIFYING_FORMS))
    .min(1)
    .max(QUALIFYING_FORMS.length)
    .default(["cmcp-tpm-v1", "exact"])
    .describe(
      'How the quote may carry the expected report data: SHA-256("cmcp-tpm-v1" ‖ report data), the same bytes, or their plain SHA-256.',
    ),
});

/** The TPM part of an appraisal policy. Everything has a strict default; what is not appraised is said in the result. */
export const tpmPolicySchema = quotePolicySchema.extend({
  authenticity_only: z
    .boolean()
    .default(false)
    .describe("Check format, signature and the key's binding to a root and nothing else. The result says so."),
  root_key_sha256: z
    .array(keyHash)
    .max(64)
    .default([GOOGLE_TPM_ROOT_SPKI_SHA256, GOOGLE_EK_AK_ROOT_SPKI_SHA256, AZURE_VIRTUAL_TPM_ROOT_SPKI_SHA256])
    .describe(
      "Trust anchors: SHA-256 of the SubjectPublicKeyInfo of roots that certify attestation keys. Default: the " +
        "roots of Google's and Azure's virtual TPMs. A TPM maker's root goes here; the root may not come from the " +
        "evidence.",
    ),
  attestation_key_sha256: z
    .array(keyHash)
    .max(MAX_VALUES)
    .default([])
    .describe(
      "Attestation keys that are trusted by themselves: SHA-256 of their SubjectPublicKeyInfo, for a key that " +
        "was enrolled and has no certificate.",
    ),
  stale_lists: z
    .enum(["fail", "accept"])
    .default("fail")
    .describe(
      "What a revocation list past its nextUpdate does: fails the check (default), or leaves it not performed. A " +
        "revoked certificate fails either way.",
    ),
});

export type QuotePolicy = z.infer<typeof quotePolicySchema>;
export type TpmPolicy = z.infer<typeof tpmPolicySchema>;

/** The strict default. */
export const STRICT_TPM_POLICY: TpmPolicy = tpmPolicySchema.parse({});
