import assert from "node:assert/strict";
import { test } from "node:test";
import { epochOf, epochProblem, lostStoreStatementSchema, nextEpoch, signedLostStoreSchema } from "./lost-store.ts";
import { openedEpoch } from "./opened-epoch.ts";
import { OPERATOR_KEY, signedLostStore } from "./testing/lost-store.ts";

const SIGNED = signedLostStore();
const { statement: STATEMENT } = SIGNED;

test("a statement has its members, each within its bounds, and no other", () => {
  const read = (change: object): boolean => lostStoreStatementSchema.safeParse({ ...STATEMENT, ...change }).success;
  assert.ok(read({}) && read({ last: "unknown" }) && read({ reason: "x".repeat(512) }));
  const root = "a".repeat(64);
  for (const change of [
    { v: 2 },
    { purpose: "session-reset" },
    { extra: 1 },
    { origin: "gateway.example" },
    { origin: "gateway.example/01" },
    { origin: " gateway.example/0" },
    { origin: `${"x".repeat(199)}/0` },
    { last: "none" },
    { last: { size: 0, root } },
    { last: { size: 1.5, root } },
    { last: { size: 1, root: root.slice(1) } },
    { last: { size: 1, root, extra: 1 } },
    { reason: "" },
    { reason: "x".repeat(513) },
  ])
    assert.ok(!read(change), JSON.stringify(change));
  assert.ok(signedLostStoreSchema.safeParse(SIGNED).success);
  for (const change of [{ key: "A" }, { signature: "A" }, { more: 1 }])
    assert.ok(!signedLostStoreSchema.safeParse({ ...SIGNED, ...change }).success);
});

test("an origin names its epoch, and the next one", () => {
  assert.deepEqual([epochOf("a/b/0"), epochOf("gateway.example/17"), epochOf("gateway.example")], [0, 17, null]);
  assert.equal(nextEpoch("a/b/9"), "a/b/10");
  for (const last of ["gateway.example", `gateway.example/${"9".repeat(9)}`, `${"x".repeat(198)}/9`])
    assert.equal(nextEpoch(last), null, last);
});

test("the first epoch follows no statement, and each other exactly that of the epoch before", () => {
  const problem = (of: string, origin?: string): string | null =>
    epochProblem(of, origin === undefined ? null : { ...STATEMENT, origin });
  assert.equal(problem("gateway.example/0"), null);
  assert.match(problem("gateway.example") ?? "", /names no epoch/);
  assert.equal(problem("gateway.example/1", "gateway.example/0"), null);
  assert.equal(problem("gateway.example/10", "gateway.example/9"), null);
  for (const [what, of, origin] of [
    [/names no epoch/, "gateway.example", "gateway.example/0"],
    [/epoch 1 needs an operator's statement/, "gateway.example/1"],
    [/epoch 0 is the first/, "gateway.example/0", "gateway.example/0"],
    [/is not the epoch after/, "gateway.example/1", "gateway.example/1"],
    [/is not the epoch after/, "gateway.example/2", "gateway.example/0"],
    [/is not the epoch after/, "gateway.example/1", "gateway.example/2"],
    [/is not the epoch after/, "gateway.example/1", "other.example/0"],
    [/is not the epoch after/, "gateway.example/1", "a/gateway.example/0"],
  ] as const)
    assert.match(problem(of, origin) ?? "", what);
});

const ONE = { origin: "gateway.example/1", lostStore: SIGNED, operatorKeys: ["A".repeat(43), OPERATOR_KEY] };

test("a configuration opens its epoch with a statement that a measured key signed", () => {
  assert.deepEqual(openedEpoch(ONE), SIGNED);
  assert.equal(openedEpoch({ origin: "gateway.example/0", lostStore: undefined, operatorKeys: [] }), null);
});

test("and with no other", () => {
  const signature = `${SIGNED.signature[0] === "A" ? "B" : "A"}${SIGNED.signature.slice(1)}`;
  const invalid = "CONFIG_INVALID";
  const unsigned = "OPERATOR_STATEMENT_INVALID";
  for (const [what, change, code] of [
    ["none", { lostStore: undefined }, invalid],
    ["another form", { lostStore: { ...SIGNED, more: 1 } }, invalid],
    ["another epoch", { origin: "gateway.example/2" }, invalid],
    ["the first epoch", { origin: "gateway.example/0" }, invalid],
    ["a key that is not measured", { operatorKeys: ["A".repeat(43)] }, unsigned],
    ["another signature", { lostStore: { ...SIGNED, signature } }, unsigned],
    ["another reason", { lostStore: { ...SIGNED, statement: { ...STATEMENT, reason: "x" } } }, unsigned],
    ["another size", { lostStore: { ...SIGNED, statement: { ...STATEMENT, last: "unknown" } } }, unsigned],
  ] as const)
    assert.throws(() => openedEpoch({ ...ONE, ...change }), { code, message: /^log\.lost_store: / }, what);
});
