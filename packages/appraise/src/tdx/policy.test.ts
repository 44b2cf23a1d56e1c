import assert from "node:assert/strict";
import { test } from "node:test";
import { STRICT_TDX_POLICY, tdxPolicySchema } from "./policy.ts";

test("the default is strict", () => {
  const zero = "0".repeat(96);
  assert.deepEqual(STRICT_TDX_POLICY, {
    authenticity_only: false,
    trust_anchors: ["a0af031289f5d5d4132f9186068a7fc13628633ba235777472e29b6b6c67a49e"],
    quoting_enclave_signers: ["dc9e2a7c6f948f17474e34a7fc43ed030f7c1563f1babddf6340c82e0e54a8c5"],
    tcb: { accepted_statuses: [{ status: "UpToDate" }], minimum_evaluation_number: 17 },
    stale_lists: "fail",
    event_log: { separators: [0, 1] },
    measurements: [],
    rtmr3: zero,
    mrowner: zero,
    mrownerconfig: zero,
    mrservicetd: zero,
    allowed_attributes: ["SEPT_VE_DISABLE", "PKS", "PERFMON"],
    required_attributes: ["SEPT_VE_DISABLE"],
  });
});

test("every key says what it does", () => {
  const shapes = [
    tdxPolicySchema.shape,
    tdxPolicySchema.shape.tcb.unwrap().shape,
    tdxPolicySchema.shape.event_log.unwrap().shape,
  ];
  for (const shape of shapes)
    for (const [key, schema] of Object.entries(shape)) assert.ok((schema.description ?? "").length > 20, key);
});

test("an unknown key, a value of another length and an empty list of anchors are refused", () => {
  for (const wrong of [
    { allow_debug: true },
    { tcb: { grace: 3 } },
    { rtmr3: "00" },
    { rtmr3: "0".repeat(95) + "G" },
    { mrowner: "A".repeat(96) },
    { trust_anchors: [] },
    { measurements: ["aa"] },
    { required_attributes: ["DEBUG"] },
    { tcb: { accepted_statuses: [] } },
    { tcb: { accepted_statuses: [{ status: "Fine" }] } },
    { stale_lists: "ignore" },
    { event_log: { separators: [2] } },
    { event_log: { separators: "any" } },
    { event_log: { exit_boot_services: true } },
  ]) {
    assert.equal(tdxPolicySchema.safeParse(wrong).success, false, JSON.stringify(wrong));
  }
});

test("lists and numbers end where they can still mean something", () => {
  const accepts = (policy: object): boolean => tdxPolicySchema.safeParse(policy).success;
  const repeated = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);
  const status = { status: "UpToDate" };
  for (const [least, most, written] of [
    [0, 256, (count: number) => ({ measurements: repeated(count, "0a".repeat(48)) })],
    [1, 8, (count: number) => ({ trust_anchors: repeated(count, "0a".repeat(32)) })],
    [1, 8, (count: number) => ({ quoting_enclave_signers: repeated(count, "0a".repeat(32)) })],
    [1, 9, (count: number) => ({ tcb: { accepted_statuses: repeated(count, status) } })],
    [0, 3650, (days: number) => ({ tcb: { accepted_statuses: [{ ...status, grace_days: days }] } })],
    [0, 2, (count: number) => ({ event_log: { separators: repeated(count, 0) } })],
    [0, 64, (count: number) => ({ allowed_attributes: repeated(count, "PKS") })],
    [0, 64, (count: number) => ({ required_attributes: repeated(count, "PKS") })],
    [32, 32, (bytes: number) => ({ trust_anchors: ["0a".repeat(bytes)] })],
    [32, 32, (bytes: number) => ({ quoting_enclave_signers: ["0a".repeat(bytes)] })],
    [48, 48, (bytes: number) => ({ mrconfigid: "0a".repeat(bytes) })],
  ] as const) {
    assert.ok(accepts(written(least)) && accepts(written(most)), JSON.stringify(written(least)));
    assert.ok(least === 0 || !accepts(written(least - 1)), JSON.stringify(written(least)));
    assert.ok(!accepts(written(most + 1)), JSON.stringify(written(least)));
  }
  assert.ok(!accepts({ tcb: { minimum_evaluation_number: -1 } }));
  assert.ok(!accepts({ tcb: { accepted_statuses: [{ ...status, grace_days: -1 }] } }));
  assert.ok(!accepts({ event_log: { separators: [-1] } }));
  assert.ok(!accepts({ tcb: { accepted_statuses: [{ status: "Revoked" }] } }));
});
