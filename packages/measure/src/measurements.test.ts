import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { untrusted } from "@cmcp/boundary";
import { acceptedLaunch, parseMeasurements, type AcceptedLaunch, type Measurements } from "./measurements.ts";

const digest = (digit: string, bytes = 48): string => digit.repeat(bytes * 2);
const launched = { command_line: "acpi=off", files: ["vmlinuz"] };

const SNP: AcceptedLaunch = {
  platform: "sev-snp",
  shape: { vmm: "QEMU", vcpus: 1, vcpu_type: "EPYC-v4", vcpu_sig: "0x800f12", guest_features: "0x1" },
  ...launched,
  registers: { measurement: [digest("a")] },
};
const TDX: AcceptedLaunch = {
  platform: "tdx",
  shape: { boot: "kernel" },
  ...launched,
  registers: { mrtd: [digest("1"), digest("2")], rtmr1: [digest("3")], rtmr2: [digest("4")] },
};
const TPM: AcceptedLaunch = {
  platform: "tpm",
  shape: { boot: "uki", bank: "sha256" },
  command_line: null,
  files: ["uki.efi"],
  registers: { pcr4: [digest("5", 32)], pcr9: [digest("6", 32)], pcr11: [digest("7", 32)], pcr12: [digest("0", 32)] },
};
const DOCUMENT: Measurements = {
  format: "cmcp-measurements-v1",
  image: {
    name: "image",
    version: "1",
    files: [{ name: "vmlinuz", role: "kernel", sha256: digest("b", 32), bytes: 5 }],
  },
  accepted: [SNP, TDX, TPM],
};
const parse = (value: unknown): Measurements =>
  parseMeasurements(untrusted(Buffer.from(typeof value === "string" ? value : JSON.stringify(value))));

test("a file that was written is read again", () => {
  assert.deepEqual(parse(DOCUMENT), DOCUMENT);
});

test("evidence is accepted when every register has one of an entry's values", () => {
  assert.equal(acceptedLaunch(DOCUMENT, "sev-snp", { measurement: digest("a") }), SNP);
  const tdx = { mrtd: digest("2"), rtmr1: digest("3"), rtmr2: digest("4"), rtmr0: digest("9") };
  assert.equal(acceptedLaunch(DOCUMENT, "tdx", tdx), TDX);
  assert.equal(
    acceptedLaunch(DOCUMENT, "tpm", {
      pcr4: digest("5", 32),
      pcr9: digest("6", 32),
      pcr11: digest("7", 32),
      pcr12: digest("0", 32),
    }),
    TPM,
  );
});

test("evidence is not accepted when a register has another value, is missing, or is of another platform", () => {
  const tdx = { mrtd: digest("1"), rtmr1: digest("3"), rtmr2: digest("4") };
  for (const register of ["mrtd", "rtmr1", "rtmr2"] as const) {
    assert.equal(acceptedLaunch(DOCUMENT, "tdx", { ...tdx, [register]: digest("f") }), null);
    const { [register]: _, ...rest } = tdx;
    assert.equal(acceptedLaunch(DOCUMENT, "tdx", rest), null);
  }
  assert.equal(acceptedLaunch(DOCUMENT, "sev-snp", tdx), null);
  assert.equal(acceptedLaunch({ ...DOCUMENT, accepted: [] }, "tdx", tdx), null);
});

const REFUSED: Readonly<Record<string, unknown>> = {
  "no JSON": "{",
  "a key twice": JSON.stringify(DOCUMENT).replace('"format"', '"format":"x","format"'),
  "another format": { ...DOCUMENT, format: "cmcp-measurements-v2" },
  "an unknown key": { ...DOCUMENT, extra: 1 },
  "an unknown platform": { ...DOCUMENT, accepted: [{ ...SNP, platform: "sev" }] },
  "a register without values": { ...DOCUMENT, accepted: [{ ...SNP, registers: { measurement: [] } }] },
  "no registers": { ...DOCUMENT, accepted: [{ ...SNP, registers: {} }] },
  "an upper-case digest": { ...DOCUMENT, accepted: [{ ...SNP, registers: { measurement: [digest("A")] } }] },
  "a short digest": { ...DOCUMENT, accepted: [{ ...SNP, registers: { measurement: [digest("a", 32)] } }] },
  "a PCR of another bank": { ...DOCUMENT, accepted: [{ ...TPM, shape: { boot: "uki", bank: "sha384" } }] },
  "too many values": {
    ...DOCUMENT,
    accepted: [{ ...SNP, registers: { measurement: Array.from({ length: 33 }, () => digest("a")) } }],
  },
  "too many entries": { ...DOCUMENT, accepted: Array.from({ length: 1025 }, () => SNP) },
  "no processor": { ...DOCUMENT, accepted: [{ ...SNP, shape: { ...SNP.shape, vcpus: 0 } }] },
};

for (const [name, value] of Object.entries(REFUSED)) {
  test(`a file is refused: ${name}`, () => {
    assert.throws(() => parse(value), { code: "MEASURE_INPUT_INVALID", message: /^measurements: / });
  });
}

test("the example of SPEC.md is a file of the format", () => {
  const example =
    /```json\n([\s\S]*?)```/.exec(readFileSync(new URL("../SPEC.md", import.meta.url), "utf8"))?.[1] ?? "";
  assert.equal(parse(example).accepted.length, 1);
});
