import assert from "node:assert/strict";
import { test } from "node:test";
import { killSwitchStatementSchema, signedKillSwitchSchema } from "./kill-switch.ts";
import { MAX_STATEMENT_BYTES, MAX_STATEMENT_REASON } from "./operator-statement.ts";
import { resetStatementSchema } from "./reset.ts";

const MEMBERS = { v: 1, instance: "A".repeat(43), sequence: 1, reason: "why" } as const;
const TRIP = { ...MEMBERS, purpose: "kill-switch-trip", principal: "p" } as const;
const RESET = {
  ...MEMBERS,
  purpose: "session-reset",
  session_id: "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90",
  chain_tip: "0".repeat(64),
} as const;
const SIGNED = { statement: TRIP, key: "A".repeat(43), signature: "A".repeat(86) };

test("a statement has its members, each within its bounds, and no other", () => {
  assert.deepEqual([MAX_STATEMENT_BYTES, MAX_STATEMENT_REASON], [8192, 512]);
  for (const [schema, good] of [
    [killSwitchStatementSchema, TRIP],
    [resetStatementSchema, RESET],
  ] as const) {
    const read = (change: object): boolean => schema.safeParse({ ...good, ...change }).success;
    assert.ok(read({}) && read({ reason: "x" }) && read({ reason: "x".repeat(512) }));
    for (const change of [
      { extra: 1 },
      { v: 2 },
      { reason: "" },
      { reason: "x".repeat(513) },
      { sequence: 0 },
      { sequence: 1.5 },
      { instance: "A".repeat(42) },
      { instance: "A".repeat(44) },
      { purpose: "other" },
    ])
      assert.ok(!read(change), JSON.stringify(change));
  }
  const principal = (length: number): boolean =>
    killSwitchStatementSchema.safeParse({ ...TRIP, principal: "p".repeat(length) }).success;
  assert.ok(principal(1) && principal(1024) && !principal(0) && !principal(1025));
  for (const length of [63, 65])
    assert.ok(!resetStatementSchema.safeParse({ ...RESET, chain_tip: "0".repeat(length) }).success);
});

test("a key has 43 characters and a signature 86", () => {
  const read = (change: object): boolean => signedKillSwitchSchema.safeParse({ ...SIGNED, ...change }).success;
  assert.ok(read({}));
  for (const [name, length] of [
    ["key", 43],
    ["signature", 86],
  ] as const)
    for (const other of [length - 1, length + 1]) assert.ok(!read({ [name]: "A".repeat(other) }), name);
});
