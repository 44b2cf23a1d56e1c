/** How much a record of each kind may hold, as it is written and as it is read. */
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import { CanonicalObject, canonicalBytes, canonicalText, untrusted } from "@cmcp/boundary";
import { SessionChain } from "./chain.ts";
import { hashedEntry } from "./entry-text.ts";
import { encodeRecord, intentSchema, readLeafFacts, readRecord, type JournalStatement } from "./journal.ts";
import { leafBytes } from "./leaf.ts";
import { POLICY, WritingInstance } from "./testing/instance.ts";

const SESSION = "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90";
const HEX = "0".repeat(64);
const WRITER = { instance: "i".repeat(43), seq: 0 };
const MEBIBYTES_16 = 16 * 1024 * 1024;
const instance = new WritingInstance();
instance.start(SESSION);

type Bodies = { [K in JournalStatement["kind"]]: Extract<JournalStatement, { kind: K }>["body"] };
const CLAIM: Bodies["claim"] = { session_id: SESSION, sequence_number: 1, claim_hash: POLICY, claim: {} };
const PROVISION: Bodies["provision"] = { sequence: 1, principals: [], credentials: [] };

function isWritten(statement: JournalStatement): boolean {
  try {
    encodeRecord(statement, WRITER);
    return true;
  } catch {
    return false;
  }
}
const isClaim = (change: object): boolean => isWritten({ kind: "claim", body: { ...CLAIM, ...change } });
const isProvision = (change: object): boolean => isWritten({ kind: "provision", body: { ...PROVISION, ...change } });
const bounds = (accepted: (change: object) => boolean, rows: readonly (readonly [object, object])[]): void => {
  for (const [within, beyond] of rows)
    assert.deepEqual([accepted(within), accepted(beyond)], [true, false], JSON.stringify(beyond).slice(0, 60));
};
const text = (length: number): string => "x".repeat(length);

test("a provisioning is written up to its bounds", () => {
  const principals = (principal: string, tokens: readonly string[] = []): object => ({
    principals: [{ principal, tokens }],
  });
  const several = (count: number): object => ({
    principals: Array.from({ length: count }, () => ({ principal: "p", tokens: [] })),
  });
  const statement = (change: object): object => ({
    statement: { hash: POLICY, key: "A".repeat(43), sequence: 1, ...change },
  });
  const stored = (change: object): object => ({
    stored: { nonce: "A".repeat(16), ciphertext: "A".repeat(22), ...change },
  });
  bounds(isProvision, [
    [{}, { sequence: 0 }],
    [{ tokenless: true }, { tokenless: false }],
    [principals("p"), principals("")],
    [principals(text(128)), principals(text(129))],
    [principals("p", Array(4_000).fill(HEX)), principals("p", Array(4_001).fill(HEX))],
    [several(4_000), several(4_001)],
    [{ credentials: ["c"] }, { credentials: [""] }],
    [{ credentials: [text(64)] }, { credentials: [text(65)] }],
    [{ credentials: Array(4_000).fill("c") }, { credentials: Array(4_001).fill("c") }],
    [statement({}), statement({ sequence: 0 })],
    [stored({}), stored({ nonce: "A".repeat(15) })],
    [stored({ ciphertext: "A".repeat(1_398_123) }), stored({ ciphertext: "A".repeat(1_398_124) })],
  ]);
});

test("a claim is written up to its bounds", () => {
  const end = { bundle_signature: "A".repeat(86) };
  bounds(isClaim, [
    [{}, { sequence_number: 0 }],
    [{ end }, { end: { bundle_signature: "A".repeat(85) } }],
    [{ end: { ...end, evidence: { any: ["thing"] } } }, { end: { ...end, evidence: [] } }],
  ]);
});

test("an intent is read up to its bounds", () => {
  const intent = instance.intent(SESSION, "call-1");
  const accepted = (change: object): boolean => intentSchema.safeParse({ ...intent, ...change }).success;
  bounds(accepted, [
    [{ call_id: "c" }, { call_id: "" }],
    [{ call_id: text(256) }, { call_id: text(257) }],
    [{ principal: "p" }, { principal: "" }],
    [{ principal: text(1024) }, { principal: text(1025) }],
    [{ tool_name: text(4096) }, { tool_name: text(4097) }],
    [{ length_before: 1 }, { length_before: 0 }],
    [{ integrity: "untrusted" }, { integrity: "trusted" }],
    [{ idempotency_key: HEX, idempotency_request: HEX }, { idempotency_key: "0" }],
  ]);
});

test("the body of a record has 16 MiB at most", () => {
  const { length } = canonicalText({ ...CLAIM, claim: { text: "" } });
  const isLong = (bytes: number): boolean => isClaim({ claim: { text: text(bytes - length) } });
  assert.deepEqual([isLong(MEBIBYTES_16), isLong(MEBIBYTES_16 + 1)], [true, false]);
});

test("a record's leaf has 4096 bytes at most", () => {
  const leaf = { v: "cmcp-leaf-v1", kind: "intent", instance: "", seq: 0, body_hash: POLICY } as const;
  const { length } = leafBytes(leaf);
  assert.equal(leafBytes({ ...leaf, instance: text(4096 - length) }).length, 4096);
  assert.throws(() => leafBytes({ ...leaf, instance: text(4097 - length) }), { code: "INTERNAL" });
});

test("a body has 24 levels and a million names and values at most", () => {
  const isRead = (claim: Bodies["claim"]["claim"]): boolean => {
    const { leaf, body } = encodeRecord({ kind: "claim", body: { ...CLAIM, claim } }, WRITER);
    return readRecord(untrusted(leaf), untrusted(body)) !== null;
  };
  const levels = (count: number): Bodies["claim"]["claim"] => {
    let value: Bodies["claim"]["claim"][string] = 0;
    // The body is the first level, the claim the second.
    for (let level = 2; level < count; level += 1) value = [value];
    return { a: value };
  };
  assert.deepEqual([isRead(levels(24)), isRead(levels(25))], [true, false]);
  // The body, its four names with their values, and one name and its list in the claim.
  const items = (count: number): Bodies["claim"]["claim"] => ({ a: Array<number>(count - 11).fill(0) });
  assert.deepEqual([isRead(items(1_000_000)), isRead(items(1_000_001))], [true, false]);
});

test("a stored entry has 16 MiB at most", () => {
  const entry = (bytes: number): Uint8Array => {
    const end = `"z":"${text(bytes - 88)}"}`;
    return Buffer.from(`{"entry_hash":"${hash("sha256", `{${end}`)}",${end}`);
  };
  const longest = entry(MEBIBYTES_16);
  assert.equal(longest.length, MEBIBYTES_16);
  assert.equal(typeof hashedEntry(untrusted(longest)).entry_hash, "string");
  assert.throws(() => hashedEntry(untrusted(entry(MEBIBYTES_16 + 1))), { code: "AUDIT_STORE_MISMATCH" });
});

test("an entry and a claim that are written already make the same record", () => {
  const { entry, written } = new SessionChain(SESSION).write({ entry_type: "session_start" });
  assert.deepEqual(
    encodeRecord({ kind: "entry", body: written }, WRITER),
    encodeRecord({ kind: "entry", body: entry }, WRITER),
  );
  const claim = { any: "thing" };
  assert.deepEqual(
    encodeRecord({ kind: "claim", body: { ...CLAIM, claim: CanonicalObject.of(claim) } }, WRITER),
    encodeRecord({ kind: "claim", body: { ...CLAIM, claim } }, WRITER),
  );
});

test("a leaf says without its body what it is of", () => {
  instance.call(SESSION, "call-1");
  for (const { leaf, kind, receipt } of instance.log.records) {
    const facts = readLeafFacts(untrusted(leaf));
    assert.deepEqual([facts?.kind, facts?.instance, facts?.receipt], [kind, instance.name, receipt]);
  }
  assert.deepEqual(
    instance.log.records.map(({ leaf }) => readLeafFacts(untrusted(leaf))?.seq),
    instance.log.records.map((_, seq) => seq),
  );
});

test("what is no leaf says nothing, and a fault that is not of the bytes is thrown", () => {
  const [record] = instance.log.records;
  assert.ok(record !== undefined);
  for (const bytes of ["", "null", "1", "[]", "{}", '{"v":"cmcp-leaf-v1"}', '{"v":"cmcp-receipt-v3"}']) {
    assert.equal(readLeafFacts(untrusted(Buffer.from(bytes))), null, bytes);
    assert.equal(readRecord(untrusted(Buffer.from(bytes)), untrusted(record.body)), null, bytes);
  }
  assert.throws(() => readLeafFacts(untrusted(null as never)), TypeError);
  assert.throws(() => readRecord(untrusted(record.leaf), untrusted(null as never)), TypeError);
  const said = JSON.parse(Buffer.from(record.leaf).toString()) as Record<string, unknown>;
  const shown = canonicalBytes({ ...said, extra: 1 });
  assert.equal(readLeafFacts(untrusted(shown)), null, "another member");
});
