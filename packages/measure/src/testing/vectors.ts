import { readFileSync } from "node:fs";
import { z } from "zod";
import { sharedFile } from "../../../appraise/src/testing/shared.ts";

const VECTORS = new URL("../../../../test/vectors/measure/", import.meta.url);

/** Bytes of a hex text. */
export const hex = (text: string): Buffer => Buffer.from(text, "hex");

/** A file of `test/vectors/measure`. */
export function vectorFile(name: string): Buffer {
  return readFileSync(new URL(name, VECTORS));
}

const digestPair = z.object({ sha256: z.string(), sha384: z.string() });
const pcrs = z.object({ pcr4: z.string(), pcr9: z.string(), pcr11: z.string(), pcr12: z.string() });
const boot = z.object({ name: z.string(), pcrs: z.object({ sha256: pcrs, sha384: pcrs }) });

const bootVectors = z.object({
  kernel: z.object({ file: z.string(), sha256: z.string(), sha384: z.string(), authenticode: digestPair }),
  initrd_base64: z.string(),
  ukis: z.record(z.string(), z.object({ authenticode: digestPair, sections: z.record(z.string(), z.string()) })),
  boots: z.array(
    z.discriminatedUnion("start", [
      boot.extend({ start: z.literal("kernel"), initrd_argument: z.enum(["first", "last"]), command_line: z.string() }),
      boot.extend({ start: z.enum(["qemu-kernel", "disk"]), uki: z.string(), appended: z.string() }),
    ]),
  ),
});

/** What virtual machines measured that were really booted. */
export const BOOTS = bootVectors.parse(JSON.parse(vectorFile("boots/boots.json").toString()));

const section = z.object({ gpa: z.number(), size: z.number(), type: z.number() });
const snpGolden = z.object({
  inputs: z.record(z.string(), z.object({ sha256: z.string() })),
  firmware: z.record(z.string(), z.object({ ovmf_hash_sha384_ld: z.string() })),
  sev_hashes: z.object({
    cmdline: z.string(),
    kernel_sha256: z.string(),
    initrd_sha256: z.string(),
    table_hex: z.string(),
    page_sha384: z.string(),
  }),
  vmsa_page_hashes: z.record(
    z.string(),
    z.object({ vcpu_sig: z.string(), bsp_sha384: z.string(), ap_sha384: z.string() }),
  ),
  vectors: z.array(
    z.object({
      name: z.string(),
      vmm: z.enum(["QEMU", "ec2", "gce"]),
      ovmf: z.string(),
      kernel: z.string().nullable(),
      initrd: z.string().nullable(),
      cmdline: z.string().nullable(),
      vcpu_sig: z.string(),
      vcpus: z.number(),
      guest_features: z.string(),
      launch_digest: z.string(),
    }),
  ),
  negative: z.array(z.object({ ovmf: z.string() })),
  trace_amdsev_milan_2vcpu: z.object({
    total_updates: z.number(),
    selected: z.array(
      z.object({ i: z.number(), page_type: z.number(), gpa: z.string(), contents: z.string(), ld_after: z.string() }),
    ),
  }),
  hardware_confirmed: z.object({
    report: z.string(),
    vcpus: z.number(),
    ovmf_hash_seed: z.string(),
    kernel_sha256: z.string(),
    initrd_sha256: z.string(),
    cmdline: z.string(),
    hashes_table_gpa: z.string(),
    reset_eip: z.string(),
    sections: z.array(section),
    launch_digest: z.string(),
  }),
});

const tdxGolden = z.object({
  firmware: z.record(
    z.string(),
    z.object({
      sha256: z.string(),
      mrtd_single_pass: z.string(),
      mrtd_two_pass: z.string(),
      cfv_sha384: z.string(),
      td_hob_sha384: z.record(z.string(), z.string()),
      sections: z.array(z.object({ gpa: z.string(), mem_size: z.string(), attr: z.string(), type: z.string() })),
    }),
  ),
  kernel: z.object({
    sha256: z.string(),
    authenticode_sha384_raw: z.string(),
    authenticode_sha256_raw_confirmed_by_osslsigncode: z.string(),
    authenticode_sha384_qemu_patched: z.record(z.string(), z.string()),
  }),
  rtmr1: z.record(z.string(), z.string()),
  rtmr2: z.record(z.string(), z.string()),
  event_digests: z.record(z.string(), z.string()),
  hardware_confirmation: z.object({
    kernel_authenticode_sha384: z.string(),
    initrd_sha384: z.string(),
    cmdline_sha384: z.string(),
    mrtd_equals_doc: z.object({ two_pass: z.boolean() }),
  }),
});

/** Golden vectors of the shared folder; `null` when it is absent. */
function golden<T>(schema: z.ZodType<T>, name: string): T | null {
  const bytes = sharedFile(`vectors/${name}`);
  return bytes === null ? null : schema.parse(JSON.parse(Buffer.from(bytes).toString()));
}

export const SNP_GOLDEN = golden(snpGolden, "snp-launch-digest.json");
export const TDX_GOLDEN = golden(tdxGolden, "tdx-measurements.json");
