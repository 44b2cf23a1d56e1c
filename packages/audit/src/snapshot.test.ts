import assert from "node:assert/strict";
import { test } from "node:test";
import { snapshotPartSchema, snapshotRowSchema, snapshotSchema, type SnapshotRow } from "./snapshot.ts";
import { WritingInstance } from "./testing/instance.ts";

const SESSION = "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90";
const principal = (change: object): object => ({
  row: "principal",
  principal: "alice",
  labels: [],
  untrusted: false,
  time: 0,
  ...change,
});

test("names and labels of a row are read up to their bounds", () => {
  const accepted = (row: object): boolean => snapshotRowSchema.safeParse(row).success;
  for (const [within, beyond] of [
    [principal({ labels: ["l".repeat(4096)] }), principal({ labels: ["l".repeat(4097)] })],
    [principal({ principal: "p".repeat(1024) }), principal({ principal: "p".repeat(1025) })],
    [principal({}), principal({ principal: "" })],
    [principal({ labels: Array(4096).fill("") }), principal({ labels: Array(4097).fill("") })],
    [principal({}), principal({ time: -1 })],
  ] as const)
    assert.deepEqual([accepted(within), accepted(beyond)], [true, false], JSON.stringify(beyond).slice(0, 60));
});

/** The rows of a snapshot of principals whose rows have so many characters in all, part by part. */
function partsOf(characters: number): readonly (readonly SnapshotRow[])[] {
  const instance = new WritingInstance();
  instance.start(SESSION, { principal: "p000" });
  const lengthOf = (row: SnapshotRow): number => JSON.stringify(row).length;
  const label = (name: string, text: string): void =>
    void instance.entry(SESSION, { entry_type: "fault", session_sensitivity_after: text, detail: { principal: name } });
  label("p000", "l");
  const [bare] = [...instance.log.state.rows()].map(lengthOf);
  assert.ok(bare !== undefined);
  let left = characters - bare;
  for (let count = 1; left > 0; count += 1) {
    const longest = left > 2 * 4096 ? 4000 : left > 4096 ? 2000 : left - (bare - 1);
    label(`p${String(count).padStart(3, "0")}`, "l".repeat(longest));
    left -= bare - 1 + longest;
  }
  assert.equal(
    [...instance.log.state.rows()].reduce((sum, row) => sum + lengthOf(row), 0),
    characters,
  );
  instance.snapshot();
  return instance.log.records.flatMap(({ statement }) =>
    statement.kind === "snapshot-part" ? [statement.body.rows] : [],
  );
}

test("a part has as many characters as are allowed, and not one more", () => {
  assert.equal(partsOf(1_048_576).length, 1);
  assert.deepEqual(
    partsOf(1_048_576 + 1).map((rows) => rows.length > 1),
    [true, false],
  );
});

const SIGNED = {
  statement: {
    v: 1,
    purpose: "policy-key-revoke",
    instance: "i".repeat(43),
    sequence: 1,
    reason: "why",
    policy_key: "p".repeat(43),
  },
  key: "k".repeat(43),
  signature: "s".repeat(86),
};
const HEX = "0".repeat(64);
const call = (change: object): object => ({
  row: "call",
  instance: "i".repeat(43),
  session_id: SESSION,
  call_id: "c",
  intent: {},
  tip: HEX,
  length: 1,
  ...change,
});
const keys = (change: object): object => ({
  row: "keys",
  principal: "alice",
  forgotten: 0,
  keys: [{ key: HEX, index: 0 }],
  ...change,
});

test("a row of each kind is read up to its bounds", () => {
  const accepted = (row: object): boolean => snapshotRowSchema.safeParse(row).success;
  const used = (count: number): object[] => Array.from({ length: count }, () => ({ key: HEX, index: 0 }));
  for (const [within, beyond] of [
    [call({}), call({ call_id: "" })],
    [call({ call_id: "c".repeat(256) }), call({ call_id: "c".repeat(257) })],
    [call({ intent: { any: "thing" } }), call({ intent: null })],
    [call({ length: 2 }), call({ length: 0 })],
    [keys({}), keys({ keys: [] })],
    [keys({ keys: used(256) }), keys({ keys: used(257) })],
    [keys({ keys: [{ key: HEX, index: 0, open: true }] }), keys({ keys: [{ key: HEX, index: 0, open: false }] })],
    [keys({ forgotten: 1 }), keys({ forgotten: -1 })],
    [
      { row: "forgotten-keys", before: 1 },
      { row: "forgotten-keys", before: 0 },
    ],
    [
      { row: "blocked", principal: "p" },
      { row: "blocked", principal: "" },
    ],
    [
      { row: "token", commitment: HEX, principal: "p" },
      { row: "token", commitment: "0", principal: "p" },
    ],
    [
      { row: "policy-key", signed: SIGNED },
      { row: "policy-key", signed: {} },
    ],
  ] as const)
    assert.deepEqual([accepted(within), accepted(beyond)], [true, false], JSON.stringify(beyond).slice(0, 60));
});

test("a part has 1 to 1000 rows, and a snapshot at most 4096 parts", () => {
  const accepted = (part: number, count: number): boolean =>
    snapshotPartSchema.safeParse({
      part,
      rows: Array.from({ length: count }, () => ({ row: "blocked", principal: "p" })),
    }).success;
  assert.deepEqual(
    [accepted(0, 0), accepted(0, 1), accepted(0, 1_000), accepted(0, 1_001)],
    [false, true, true, false],
  );
  assert.deepEqual([accepted(-1, 1), accepted(4_096, 1), accepted(4_097, 1)], [false, true, false]);
});

test("the record that completes a snapshot is read up to its bounds", () => {
  const instance = new WritingInstance();
  instance.snapshot();
  const body = instance.log.records.at(-1)?.statement.body;
  assert.ok(body !== undefined);
  const accepted = (change: object): boolean => snapshotSchema.safeParse({ ...body, ...change }).success;
  assert.ok(accepted({}));
  const blob = (length: number): object => ({ sealed_identities: ["A".repeat(length)] });
  for (const [within, beyond] of [
    [{ range: Array(48).fill(HEX) }, { range: Array(49).fill(HEX) }],
    [{ parts: 4_096 }, { parts: 4_097 }],
    [{ parts: 0 }, { parts: -1 }],
    [{ at: 0 }, { at: -1 }],
    [{ believed_from: 0 }, { believed_from: -1 }],
    [{ provision: 0 }, { provision: -1 }],
    [{ statement_sequence: 1 }, { statement_sequence: 0 }],
    [{ stored_set: 0 }, { stored_set: -1 }],
    [{ unknown_since: null }, { unknown_since: -1 }],
    [{ time_floor: 0 }, { time_floor: -1 }],
    [blob(10_923), blob(10_924)],
    [{ sealed_identities: Array(8).fill("A") }, { sealed_identities: Array(9).fill("A") }],
  ] as const)
    assert.deepEqual([accepted(within), accepted(beyond)], [true, false], JSON.stringify(beyond).slice(0, 60));
});
