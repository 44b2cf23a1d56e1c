import assert from "node:assert/strict";
import { test } from "node:test";
import { tdxPolicySchema } from "./policy.ts";
import type { QuoteOptions } from "./testing/platform.ts";
import { fails, find, hex, notPerformed, register, verify, withAttributes, type Case } from "./testing/verification.ts";

test("a TD under debug is rejected by that name, and no policy accepts it", async () => {
  const { verified } = await fails(withAttributes(0, 28), { debug: "EVIDENCE_DEBUG" });
  assert.ok(verified !== null);
  assert.throws(() => tdxPolicySchema.parse({ allowed_attributes: ["DEBUG"] }));
});

test("every attribute but the allowed ones is a violation", async () => {
  const violation = { "TD attributes": "EVIDENCE_POLICY_VIOLATION" };
  for (let bit = 1; bit < 64; bit += 1)
    await fails(withAttributes(28, bit), [28, 30, 63].includes(bit) ? {} : violation);
  await fails(withAttributes(), violation);
  await fails({ ...withAttributes(), policy: { required_attributes: [] } }, {});
  await fails({ ...withAttributes(28, 29), policy: { allowed_attributes: ["MIGRATABLE"] } }, {});
});

test("the check of attributes names those that are set, and those that should or should not be", async () => {
  for (const [bits, required, why] of [
    [[], [], "none set"],
    [[28], [], "SEPT_VE_DISABLE"],
    [[28, 29], ["SEPT_VE_DISABLE"], "MIGRATABLE set"],
    [[29], ["SEPT_VE_DISABLE"], "MIGRATABLE set; SEPT_VE_DISABLE not set"],
  ] as const) {
    const { checks } = await verify({ ...withAttributes(...bits), policy: { required_attributes: [...required] } });
    assert.equal(find(checks, "TD attributes").why, why);
  }
});

test("XFAM has the bits every TD has and none that no TD can have", async () => {
  const withFeatures = (value: bigint): Case => ({
    quote: { body: { 128: new Uint8Array(new BigUint64Array([value]).buffer) } },
  });
  await fails(withFeatures(0x6dbe7n), {});
  await fails(withFeatures(0x3n), {});
  for (const value of [0x1n, 0x2n, 0x0n, 0xfn, 0x83n | (1n << 19n), 0x3n | (1n << 63n)])
    await fails(withFeatures(value), { XFAM: "EVIDENCE_POLICY_VIOLATION" });
});

test("registers are zero unless another value is expected", async () => {
  const cases: readonly (readonly [
    offset: number,
    name: string,
    code: string,
    key: "rtmr3" | "mrconfigid" | "mrowner" | "mrownerconfig",
  ])[] = [
    [184, "MRCONFIGID", "EVIDENCE_POLICY_VIOLATION", "mrconfigid"],
    [232, "MROWNER", "EVIDENCE_POLICY_VIOLATION", "mrowner"],
    [280, "MROWNERCONFIG", "EVIDENCE_POLICY_VIOLATION", "mrownerconfig"],
    [472, "RTMR3", "EVIDENCE_MEASUREMENT_MISMATCH", "rtmr3"],
  ];
  for (const [offset, name, code, key] of cases) {
    const quote: QuoteOptions = { body: { [offset]: register(7) } };
    await fails({ quote }, { [name]: code });
    await fails({ quote, policy: { [key]: hex(7) } }, {});
    await fails({ quote, policy: { [key]: hex(8) } }, { [name]: code });
    await fails({ policy: { [key]: hex(7) } }, { [name]: code });
  }
  const bound: QuoteOptions = { version: 5, bodyType: 3, body: { 600: register(7) } };
  await fails({ quote: bound }, { MRSERVICETD: "EVIDENCE_POLICY_VIOLATION" });
  await fails({ quote: bound, policy: { mrservicetd: hex(7) } }, {});
});

test("measurements are compared with what the caller and the policy accept, each", async () => {
  const mismatch = { MRTD: "EVIDENCE_MEASUREMENT_MISMATCH" };
  const measured = (measurements: readonly string[], accepted: string[]): Case => ({
    input: { measurements },
    policy: { measurements: accepted },
  });
  await fails(measured([hex(1), hex(0x11).toUpperCase()], []), {});
  await fails(measured([hex(1)], []), mismatch);
  await fails(measured([], [hex(0x11)]), {});
  await fails(measured([], [hex(1)]), mismatch);
  await fails(measured([hex(0x11)], [hex(1)]), mismatch);
  await fails(measured([hex(1)], [hex(0x11)]), mismatch);
  for (const [index, key] of (["rtmr0", "rtmr1", "rtmr2"] as const).entries()) {
    const quote: QuoteOptions = { body: { [328 + 48 * index]: register(3) } };
    await fails({ quote, policy: { [key]: [hex(2), hex(3)] } }, {});
    await fails({ quote, policy: { [key]: [hex(2)] } }, { [`RTMR${index}`]: "EVIDENCE_MEASUREMENT_MISMATCH" });
    await fails({ quote, policy: { [key]: [] } }, { [`RTMR${index}`]: "EVIDENCE_MEASUREMENT_MISMATCH" });
  }
});

test("report data counts in all its 64 bytes, the launch digest in all its 48", async () => {
  const reportData = new Uint8Array(64).fill(5);
  const quote: QuoteOptions = { body: { 520: reportData, 184: register(6) } };
  await fails({ quote, input: { reportData, launchDigest: register(6) } }, {});
  for (const at of [0, 31, 32, 63]) {
    await fails(
      { quote, input: { reportData: reportData.with(at, 6), launchDigest: register(6) } },
      { "report data": "EVIDENCE_REPORT_DATA_MISMATCH" },
    );
    await fails(
      { quote, input: { reportData, launchDigest: register(6).with(Math.min(at, 47), 5) } },
      { "launch digest": "EVIDENCE_LAUNCH_NOT_BOUND" },
    );
  }
  await fails(
    { quote, input: { reportData: reportData.subarray(0, 32), launchDigest: register(6).subarray(0, 32) } },
    { "report data": "EVIDENCE_REPORT_DATA_MISMATCH", "launch digest": "EVIDENCE_LAUNCH_NOT_BOUND" },
  );
  await notPerformed({}, ["report data", "launch digest", "MRTD"]);
});
