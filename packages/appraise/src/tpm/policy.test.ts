import assert from "node:assert/strict";
import { test } from "node:test";
import { STRICT_TPM_POLICY, tpmPolicySchema } from "./policy.ts";

const upTo = (end: number): number[] => Array.from({ length: end + 1 }, (_, index) => index);
const accepts = (policy: object): boolean => tpmPolicySchema.safeParse(policy).success;
const repeated = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

test("the default is strict", () => {
  assert.deepEqual(STRICT_TPM_POLICY, {
    authenticity_only: false,
    selections: [[...upTo(9), 11, 12, 13, 14, 15], upTo(15), upTo(23)],
    banks: ["sha256", "sha384"],
    measurements: [],
    registers: {},
    event_log: { separators: upTo(7), exit_boot_services: true, secure_boot: "any", extended_later: [10, 15] },
    safe_clock: true,
    qualifying_data: ["cmcp-tpm-v1", "exact"],
    root_key_sha256: [
      "f23057f4f97d1d90e4cae0ce91d5a0fc99069f0a1bc147021dca33b1e9c4d0d9",
      "56a613f57126a385dd6949294e93b0b566f96ab0573be0c2368e6f5ca779831f",
      "5cbc52672ae101263c2976736044a964c1182ce9412c39937183baddcccb8cdf",
    ],
    attestation_key_sha256: [],
    stale_lists: "fail",
  });
});

test("a register is 0 to 23, one with a separator 0 to 7", () => {
  for (const [register, last] of [
    [(index: number) => ({ selections: [[index]] }), 23],
    [(index: number) => ({ registers: { [index]: ["00".repeat(32)] } }), 23],
    [(index: number) => ({ event_log: { extended_later: [index] } }), 23],
    [(index: number) => ({ event_log: { separators: [index] } }), 7],
  ] as const) {
    assert.ok(accepts(register(0)) && accepts(register(last)));
    assert.ok(!accepts(register(-1)) && !accepts(register(last + 1)));
  }
});

test("lists hold what there can be of a thing and no more", () => {
  const digest = "00".repeat(32);
  for (const [list, most] of [
    [(count: number) => ({ selections: repeated(count, [0]) }), 16],
    [(count: number) => ({ selections: [repeated(count, 0)] }), 24],
    [(count: number) => ({ banks: repeated(count, "sha256") }), 3],
    [(count: number) => ({ measurements: repeated(count, digest) }), 256],
    [(count: number) => ({ registers: { 4: repeated(count, digest) } }), 256],
    [(count: number) => ({ event_log: { separators: repeated(count, 0) } }), 8],
    [(count: number) => ({ event_log: { extended_later: repeated(count, 0) } }), 24],
    [(count: number) => ({ qualifying_data: repeated(count, "exact") }), 3],
    [(count: number) => ({ root_key_sha256: repeated(count, digest) }), 64],
    [(count: number) => ({ attestation_key_sha256: repeated(count, digest) }), 256],
  ] as const) {
    assert.ok(accepts(list(most)), JSON.stringify(list(1)));
    assert.ok(!accepts(list(most + 1)), JSON.stringify(list(1)));
  }
  for (const needed of [{ selections: [[]] }, { banks: [] }, { registers: { 4: [] } }, { qualifying_data: [] }])
    assert.ok(!accepts(needed), JSON.stringify(needed));
});

test("a digest is of a bank's length and read in either case, and SHA-1 cannot be accepted", () => {
  for (const length of [32, 48, 64])
    assert.deepEqual(tpmPolicySchema.parse({ measurements: ["AB".repeat(length)] }).measurements, [
      "ab".repeat(length),
    ]);
  for (const wrong of [
    { measurements: ["ab".repeat(20)] },
    { measurements: [`${"ab".repeat(31)}zz`] },
    { root_key_sha256: ["ab".repeat(48)] },
    { banks: ["sha1"] },
    { unknown: 1 },
  ])
    assert.ok(!accepts(wrong), JSON.stringify(wrong));
});
