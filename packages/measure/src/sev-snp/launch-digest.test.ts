import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import { z } from "zod";
import { NO_SHARED_FOLDER, sharedFile } from "../../../appraise/src/testing/shared.ts";
import { toHex } from "@cmcp/boundary";
import { downloaded, NO_DOWNLOADS } from "../testing/downloads.ts";
import { buildFirmware, SEV_FIRMWARE, type FirmwareRecipe } from "../testing/firmware.ts";
import { hex, SNP_GOLDEN, vectorFile } from "../testing/vectors.ts";
import { cpuTypeSignature } from "./cpu-signature.ts";
import { kernelHashPage, kernelHashTable, type KernelHashes } from "./kernel-hashes.ts";
import {
  digestOfPages,
  launchPages,
  MAX_VCPUS,
  snpFirmwareDigest,
  snpLaunchDigest,
  snpProcessorPages,
  type SnpLaunch,
} from "./launch-digest.ts";
import { EMPTY_LAUNCH_DIGEST, extendLaunchDigest } from "./page-update.ts";
import { svsmLaunchDigest } from "./svsm.ts";

const sha256 = (data: string): Buffer => createHash("sha256").update(data).digest();
const sha384 = (data: Uint8Array): string => createHash("sha384").update(data).digest("hex");
const NO_INITRD = sha256("");

/** Launches of small firmware, measured by the public calculator. */
const VECTORS = z
  .object({
    files: z.object({ kernel: z.string(), initrd: z.string() }),
    firmware: z.record(
      z.string(),
      z.custom<FirmwareRecipe>((value) => typeof value === "object"),
    ),
    launches: z.array(
      z.object({
        mode: z.string().default("snp"),
        firmware: z.string(),
        vcpus: z.number().default(1),
        vcpuType: z.string().default("EPYC"),
        vcpuSig: z.string().optional(),
        vmm: z.enum(["QEMU", "ec2", "gce"]).default("QEMU"),
        features: z.string().default("0x1"),
        kernel: z.boolean().default(false),
        initrd: z.boolean().default(false),
        append: z.string().default(""),
        ovmfHash: z.string().optional(),
        svsm: z.string().optional(),
        varsSize: z.number().default(0),
        digest: z.string(),
      }),
    ),
  })
  .parse(JSON.parse(vectorFile("sev-snp.json").toString()));

type Vector = (typeof VECTORS.launches)[number];
const firmwareOf = (name: string): Buffer => buildFirmware(VECTORS.firmware[name] ?? {});

function measured(vector: Vector): string {
  const firmware = firmwareOf(vector.firmware);
  const cpuSignature = vector.vcpuSig === undefined ? cpuTypeSignature(vector.vcpuType) : Number(vector.vcpuSig);
  if (vector.mode === "snp:ovmf-hash") return snpFirmwareDigest(firmware);
  if (vector.svsm !== undefined)
    return svsmLaunchDigest({
      firmware,
      svsm: firmwareOf(vector.svsm),
      varsSize: vector.varsSize,
      vcpus: vector.vcpus,
      cpuSignature,
    });
  const kernel = {
    kernel: sha256(VECTORS.files.kernel),
    initrd: vector.initrd ? sha256(VECTORS.files.initrd) : NO_INITRD,
    commandLine: vector.append,
  };
  return snpLaunchDigest({
    firmware,
    vcpus: vector.vcpus,
    cpuSignature,
    features: BigInt(vector.features),
    vmm: vector.vmm,
    ...(vector.kernel ? { kernel } : {}),
    ...(vector.ovmfHash === undefined ? {} : { firmwareDigest: hex(vector.ovmfHash) }),
  });
}

for (const [index, vector] of VECTORS.launches.entries()) {
  test(`launch ${index} of ${vector.firmware} measures as the public calculator says`, () => {
    assert.equal(measured(vector), vector.digest);
  });
}

const LAUNCH: SnpLaunch = {
  firmware: buildFirmware(SEV_FIRMWARE),
  vcpus: 2,
  cpuSignature: cpuTypeSignature("EPYC-v4"),
  features: 1n,
  vmm: "QEMU",
};
const KERNEL: KernelHashes = { kernel: sha256("kernel"), initrd: NO_INITRD, commandLine: "quiet" };

test("a genuine report's measurement follows from what was launched", (t) => {
  if (SNP_GOLDEN === null) return t.skip(NO_SHARED_FOLDER);
  const seen = SNP_GOLDEN.hardware_confirmed;
  const report = sharedFile(seen.report) ?? new Uint8Array();
  // The report's firmware is not at hand; the digest after it is, and its metadata.
  const firmware = buildFirmware({
    reset: Number(seen.reset_eip),
    hashTable: Number(seen.hashes_table_gpa),
    sev: seen.sections.map(({ gpa, size, type }) => [gpa, size, type] as const),
  });
  const kernel = { kernel: hex(seen.kernel_sha256), initrd: hex(seen.initrd_sha256), commandLine: seen.cmdline };
  const digest = snpLaunchDigest({
    ...LAUNCH,
    firmware,
    firmwareDigest: hex(seen.ovmf_hash_seed),
    vcpus: seen.vcpus,
    kernel,
  });
  assert.equal(digest, toHex(report.subarray(0x90, 0x90 + 48)));
  assert.equal(digest, seen.launch_digest);
});

test("save areas are those of the golden vectors", (t) => {
  if (SNP_GOLDEN === null) return t.skip(NO_SHARED_FOLDER);
  for (const [name, area] of Object.entries(SNP_GOLDEN.vmsa_page_hashes)) {
    const features = BigInt(name.split("gf=")[1] ?? "");
    const [boot, other] = [...snpProcessorPages({ ...LAUNCH, cpuSignature: Number(area.vcpu_sig), features })];
    assert.deepEqual(
      [sha384(boot ?? new Uint8Array()), sha384(other ?? new Uint8Array())],
      [area.bsp_sha384, area.ap_sha384],
      name,
    );
    assert.equal(cpuTypeSignature(name.split("/")[0] ?? ""), Number(area.vcpu_sig));
  }
});

test("the table of kernel hashes is that of the golden vectors", (t) => {
  if (SNP_GOLDEN === null) return t.skip(NO_SHARED_FOLDER);
  const { sev_hashes: golden } = SNP_GOLDEN;
  const hashes = { kernel: hex(golden.kernel_sha256), initrd: hex(golden.initrd_sha256), commandLine: golden.cmdline };
  assert.equal(toHex(kernelHashTable(hashes)), golden.table_hex);
  assert.equal(sha384(kernelHashPage(hashes, 0x81_0000, 0x81_0c00)), golden.page_sha384);
});

function goldenFirmware(name: string): Buffer | null {
  return SNP_GOLDEN === null ? null : downloaded(name, SNP_GOLDEN.inputs[name]?.sha256 ?? "");
}

for (const vector of SNP_GOLDEN?.vectors ?? []) {
  test(`golden launch ${vector.name}, ${vector.vmm}, ${vector.vcpus} of 0x${Number(vector.vcpu_sig).toString(16)}`, (t) => {
    const firmware = goldenFirmware(vector.ovmf);
    if (firmware === null) return t.skip(NO_DOWNLOADS);
    const hashes = SNP_GOLDEN?.sev_hashes;
    const kernel = {
      kernel: hex(hashes?.kernel_sha256 ?? ""),
      initrd: vector.initrd === null ? NO_INITRD : hex(hashes?.initrd_sha256 ?? ""),
      commandLine: vector.cmdline ?? "",
    };
    const launch = {
      firmware,
      vcpus: vector.vcpus,
      cpuSignature: Number(vector.vcpu_sig),
      features: BigInt(vector.guest_features),
      vmm: vector.vmm,
    };
    assert.equal(snpLaunchDigest(vector.kernel === null ? launch : { ...launch, kernel }), vector.launch_digest);
  });
}

test("every page of a golden launch is measured in its place", (t) => {
  const firmware = goldenFirmware("OVMF.amdsev.fd");
  if (SNP_GOLDEN === null) return t.skip(NO_SHARED_FOLDER);
  if (firmware === null) return t.skip(NO_DOWNLOADS);
  const { sev_hashes: hashes, trace_amdsev_milan_2vcpu: trace } = SNP_GOLDEN;
  const kernel = { kernel: hex(hashes.kernel_sha256), initrd: hex(hashes.initrd_sha256), commandLine: hashes.cmdline };
  const pages = [...launchPages({ ...LAUNCH, firmware, cpuSignature: cpuTypeSignature("EPYC-Milan"), kernel })];
  assert.equal(pages.length, trace.total_updates);
  const after: string[] = [];
  let digest = EMPTY_LAUNCH_DIGEST;
  for (const page of pages) after.push(toHex((digest = extendLaunchDigest(digest, page))));
  for (const { i, page_type, gpa, contents, ld_after } of trace.selected) {
    const page = pages[i];
    assert.deepEqual(
      [page?.type, page?.gpa, toHex(page?.contents ?? new Uint8Array()), after[i]],
      [page_type, Number(gpa), contents, ld_after],
      `update ${i}`,
    );
  }
});

test("digests after the golden firmware, and the one that takes no kernel", (t) => {
  const names = Object.keys(SNP_GOLDEN?.firmware ?? {});
  const files = names.map((name) => [name, goldenFirmware(name)] as const);
  if (SNP_GOLDEN === null) return t.skip(NO_SHARED_FOLDER);
  if (files.some(([, bytes]) => bytes === null)) return t.skip(NO_DOWNLOADS);
  for (const [name, bytes] of files)
    assert.equal(snpFirmwareDigest(bytes ?? new Uint8Array()), SNP_GOLDEN.firmware[name]?.ovmf_hash_sha384_ld, name);
  for (const { ovmf } of SNP_GOLDEN.negative) {
    assert.throws(
      () => snpLaunchDigest({ ...LAUNCH, firmware: goldenFirmware(ovmf) ?? new Uint8Array(), kernel: KERNEL }),
      { code: "MEASURE_INPUT_INVALID", message: /no section for kernel hashes/ },
    );
  }
});

test("everything that is launched changes the digest", () => {
  const other = Buffer.from(LAUNCH.firmware);
  other[100] = (other[100] ?? 0) ^ 1;
  const launches: readonly SnpLaunch[] = [
    LAUNCH,
    { ...LAUNCH, firmware: other },
    { ...LAUNCH, vcpus: 3 },
    { ...LAUNCH, cpuSignature: cpuTypeSignature("EPYC-Milan") },
    { ...LAUNCH, features: 0x21n },
    { ...LAUNCH, vmm: "ec2" },
    { ...LAUNCH, vmm: "gce" },
    { ...LAUNCH, kernel: KERNEL },
    { ...LAUNCH, kernel: { ...KERNEL, kernel: sha256("other") } },
    { ...LAUNCH, kernel: { ...KERNEL, initrd: sha256("other") } },
    { ...LAUNCH, kernel: { ...KERNEL, commandLine: "quiet " } },
  ];
  assert.equal(new Set(launches.map(snpLaunchDigest)).size, launches.length);
});

test("a digest after the firmware stands for its pages", () => {
  assert.equal(
    snpLaunchDigest({ ...LAUNCH, firmwareDigest: hex(snpFirmwareDigest(LAUNCH.firmware)) }),
    snpLaunchDigest(LAUNCH),
  );
});

const refused: Readonly<Record<string, readonly [RegExp, Partial<SnpLaunch>]>> = {
  "no processor": [/from 1 to/, { vcpus: 0 }],
  "half a processor": [/from 1 to/, { vcpus: 1.5 }],
  "too many processors": [/from 1 to/, { vcpus: MAX_VCPUS + 1 }],
  "a second processor that starts nowhere": [
    /no address for further processors/,
    { firmware: buildFirmware({ ...SEV_FIRMWARE, reset: 0 }) },
  ],
  "a firmware without a reset block": [/no SEV-ES reset block/, { firmware: buildFirmware({ sev: [] }), vcpus: 1 }],
  "features without SNP": [/bit 0/, { features: 0x20n }],
  "features nobody knows": [/has bits other/, { features: 0x5n }],
  "features above 64 bits": [/has bits other/, { features: (1n << 64n) | 1n }],
  "a firmware digest of another length": [/48 bytes/, { firmwareDigest: new Uint8Array(32) }],
  "a kernel hash of another length": [/not 32 bytes/, { kernel: { ...KERNEL, kernel: new Uint8Array(48) } }],
  "a hash table before its section": [
    /does not lie in/,
    { kernel: KERNEL, firmware: buildFirmware({ ...SEV_FIRMWARE, hashTable: 0x80_fc00 }) },
  ],
  "a hash table that leaves its section": [
    /does not lie in/,
    { kernel: KERNEL, firmware: buildFirmware({ ...SEV_FIRMWARE, hashTable: 0x81_0000 + 4096 - 175 }) },
  ],
  "a hash table nowhere": [
    /does not lie in/,
    { kernel: KERNEL, firmware: buildFirmware({ reset: 1, sev: [[0x81_0000, 0x1000, 16]] }) },
  ],
};

for (const [name, [message, change]] of Object.entries(refused)) {
  test(`a launch is refused: ${name}`, () => {
    assert.throws(() => snpLaunchDigest({ ...LAUNCH, ...change }), { code: "MEASURE_INPUT_INVALID", message });
  });
}

test("no metadata makes a digest do anything but refuse", () => {
  const page = fc.constantFrom(0, 0x1000, 0x2000, 0x10_0000, 0x400_0000, 0x400_1000, 0xffff_e000, 0xffff_f000);
  const row = fc.tuple(
    fc.oneof(page, fc.nat(0xffff_ffff)),
    fc.oneof(page, fc.nat(0xffff)),
    fc.constantFrom(0, 1, 2, 3, 4, 5, 16),
  );
  fc.assert(
    fc.property(fc.array(row, { maxLength: 6 }), fc.nat(0xffff_ffff), fc.boolean(), (sev, hashTable, withKernel) => {
      const firmware = buildFirmware({ reset: 1, hashTable, sev });
      try {
        assert.match(
          snpLaunchDigest({ ...LAUNCH, firmware, ...(withKernel ? { kernel: KERNEL } : {}) }),
          /^[0-9a-f]{96}$/,
        );
      } catch (thrown) {
        assert.equal((thrown as { code?: string }).code, "MEASURE_INPUT_INVALID", String(thrown));
      }
    }),
    { numRuns: 300 },
  );
});

test("one processor needs no start address for others", () => {
  const firmware = buildFirmware({ ...SEV_FIRMWARE, reset: 0 });
  assert.match(snpLaunchDigest({ ...LAUNCH, firmware, vcpus: 1 }), /^[0-9a-f]{96}$/);
});

test("an SVSM launch is refused when its parts do not fit", () => {
  const svsm = { firmware: LAUNCH.firmware, svsm: firmwareOf("svsm"), varsSize: 4096, vcpus: 1, cpuSignature: 1 };
  assert.match(svsmLaunchDigest(svsm), /^[0-9a-f]{96}$/);
  for (const [change, message] of [
    [{ varsSize: 100 }, /whole pages/],
    [{ varsSize: -4096 }, /whole pages/],
    [{ varsSize: 2 ** 32 }, /does not fit/],
    [{ vcpus: 0 }, /from 1 to/],
    [{ svsm: LAUNCH.firmware }, /no SVSM information/],
  ] as const) {
    assert.throws(() => svsmLaunchDigest({ ...svsm, ...change }), { code: "MEASURE_INPUT_INVALID", message });
  }
});

test("no page leaves the digest as it was", () => {
  assert.equal(digestOfPages([]), "00".repeat(48));
});
