import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalBytes, canonicalText, CmcpError, untrusted } from "@cmcp/boundary";
import * as fc from "fast-check";
import { hashedEntry } from "./entry-text.ts";
import { bodyHash, encodeRecord, handOverBinding, publicKeyOf, readRecord, type JournalRecord } from "./journal.ts";
import { claimLeaf, leafBytes, LEAF_VERSION, MAX_LEAF_BYTES, MAX_RECORD_BYTES } from "./leaf.ts";
import { LAUNCH, POLICY, WritingInstance, type Written } from "./testing/instance.ts";

const SESSION = "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90";
const instance = new WritingInstance();
instance.start(SESSION, { principal: "alice" });
instance.intent(SESSION, "call-1", { compartments: "mnpi,pii", integrity: "untrusted" });
instance.call(SESSION, "call-1");
instance.write({
  kind: "claim",
  body: {
    session_id: SESSION,
    sequence_number: 1,
    claim_hash: POLICY,
    claim: { any: "thing" },
    end: { bundle_signature: "A".repeat(86), evidence: { platform: "software-only" } },
  },
});
instance.write({
  kind: "provision",
  body: { sequence: 1, principals: [{ principal: "alice", tokens: ["0".repeat(64)] }], credentials: ["key"] },
});
instance.write({ kind: "provision", body: { sequence: 2, tokenless: true, principals: [], credentials: [] } });
instance.snapshot();
const { records } = instance.log;

const read = (leaf: Uint8Array, body: Uint8Array): JournalRecord | null => readRecord(untrusted(leaf), untrusted(body));
const again = ({ leaf, body }: Written): JournalRecord | null => read(leaf, body);
const object = (bytes: Uint8Array): Record<string, unknown> =>
  JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>;

test("a record of each kind is read back as it was written", () => {
  assert.deepEqual(
    records.map((record) => again(record)),
    records.map(({ statement, receipt }, seq) => ({ ...statement, instance: instance.name, seq, receipt })),
  );
  assert.deepEqual(new Set(records.map(({ kind }) => kind)).size, 7, "every kind is among them");
  for (const { leaf, body } of records)
    for (const bytes of [leaf, body]) assert.deepEqual(Buffer.from(bytes), Buffer.from(canonicalBytes(object(bytes))));
});

test("a leaf commits to its body: no bit of either can be changed", () => {
  fc.assert(
    fc.property(fc.nat(records.length - 1), fc.boolean(), fc.nat(), fc.nat(7), (place, inLeaf, at, bit) => {
      const record = records[place];
      assert.ok(record !== undefined);
      const changed = Uint8Array.from(inLeaf ? record.leaf : record.body);
      const index = at % changed.length;
      changed[index] = (changed[index] ?? 0) ^ (1 << bit);
      const found = inLeaf ? read(changed, record.body) : read(record.leaf, changed);
      // A changed leaf may say another thing of itself. It is then another leaf, and has another place in the tree.
      if (inLeaf && found !== null) assert.notDeepEqual({ ...found }, { ...again(record) });
      else assert.equal(found, null);
    }),
    { numRuns: 2_000 },
  );
});

test("a decision's leaf is its receipt, and is of this entry alone", () => {
  const decision = records.find(({ receipt }) => receipt !== null);
  assert.ok(decision !== undefined);
  assert.deepEqual(object(decision.leaf), { ...decision.receipt });
  for (const change of [
    { decision: "deny" },
    { seq: 4 },
    { sequence_number: 2 },
    { call_id: "other" },
    { channel: "sealed" },
  ]) {
    const leaf = canonicalBytes({ ...decision.receipt, ...change });
    const found = read(leaf, decision.body);
    if ("seq" in change || "channel" in change) assert.notEqual(found, null, "a decision of another number or channel");
    else assert.equal(found, null, JSON.stringify(change));
  }
  const entry = object(decision.body);
  const relabelled = canonicalBytes({ ...entry, tool_name: "other" });
  assert.equal(read(decision.leaf, relabelled), null, "an entry under the old hash");
  const asOther = leafBytes({
    v: LEAF_VERSION,
    kind: "intent",
    instance: instance.name,
    seq: 3,
    body_hash: bodyHash(decision.body),
  });
  assert.equal(read(asOther, decision.body), null, "a kind whose form the body has not");
});

test("a claim's leaf has its hash, no other leaf has one, and the body has the same", () => {
  const claim = records.find(({ kind }) => kind === "claim");
  const provision = records.find(({ kind }) => kind === "provision");
  assert.ok(claim !== undefined && provision !== undefined);
  const { claim_hash: hash, ...without } = object(claim.leaf);
  assert.equal(hash, POLICY);
  assert.equal(read(canonicalBytes(without), claim.body), null, "a claim without its hash");
  assert.equal(
    read(canonicalBytes({ ...without, claim_hash: LAUNCH }), claim.body),
    null,
    "another hash than the body's",
  );
  assert.equal(read(canonicalBytes({ ...object(provision.leaf), claim_hash: POLICY }), provision.body), null);
  assert.deepEqual(
    Buffer.from(claimLeaf({ instance: instance.name, seq: 4, body_hash: bodyHash(claim.body), claim_hash: POLICY })),
    Buffer.from(claim.leaf),
  );
});

test("garbage and other forms are no record", () => {
  const [first] = records;
  assert.ok(first !== undefined);
  for (const bytes of ["", "{", "[]", '"x"', "{}", '{"v":1}', `{"a":1,"a":2}`, "\ufeff{}"]) {
    assert.equal(read(Buffer.from(bytes), first.body), null);
    assert.equal(read(first.leaf, Buffer.from(bytes)), null);
  }
  for (const change of [{ v: "cmcp-leaf-v2" }, { extra: 1 }, { kind: "instance" }, { seq: -1 }, { instance: "x" }])
    assert.equal(read(canonicalBytes({ ...object(first.leaf), ...change }), first.body), null, JSON.stringify(change));
  assert.equal(read(new Uint8Array(MAX_LEAF_BYTES + 1), first.body), null);
  fc.assert(fc.property(fc.uint8Array(), fc.uint8Array(), (leaf, body) => assert.equal(read(leaf, body), null)));
});

test("what nobody could read back is not written", () => {
  const writer = { instance: instance.name, seq: 0 };
  const claim = { session_id: SESSION, sequence_number: 1, claim_hash: POLICY };
  assert.throws(() => encodeRecord({ kind: "claim", body: { ...claim, sequence_number: 0, claim: {} } }, writer), {
    code: "INTERNAL",
  });
  assert.throws(
    () => encodeRecord({ kind: "claim", body: { ...claim, claim: { text: "x".repeat(MAX_RECORD_BYTES) } } }, writer),
    { code: "INTERNAL" },
  );
  const provision = { sequence: 1, principals: [], credentials: [] };
  assert.throws(() => encodeRecord({ kind: "provision", body: { ...provision, sequence: -1 } }, writer), {
    code: "INTERNAL",
  });
  encodeRecord({ kind: "provision", body: provision }, writer);
});

test("the binding of a hand-over is over all of it but the evidence", () => {
  const { handOver } = instance;
  const binding = Buffer.from(handOverBinding(handOver)).toString("hex");
  assert.equal(Buffer.from(handOverBinding({ ...handOver, evidence: { any: "thing" } })).toString("hex"), binding);
  for (const change of [{ gateway_version: "x" }, { predecessor: { size: 1, root: "0".repeat(64), instance: null } }])
    assert.notEqual(Buffer.from(handOverBinding({ ...handOver, ...change })).toString("hex"), binding);
});

test("a stored entry is read if it has the hash that it names", () => {
  const decision = records.find(({ receipt }) => receipt !== null);
  assert.ok(decision !== undefined);
  const entry = object(decision.body);
  assert.deepEqual(hashedEntry(untrusted(decision.body)), entry);
  const bad = [
    "",
    "[]",
    "null",
    canonicalText({ ...entry, latency_us: 1 }),
    canonicalText({ ...entry, entry_hash: "0".repeat(64) }),
    canonicalText({ ...entry, entry_hash: 1 }),
    `${Buffer.from(decision.body).toString()} `,
  ];
  for (const text of bad)
    assert.throws(() => hashedEntry(untrusted(Buffer.from(text))), { code: "AUDIT_STORE_MISMATCH" }, text);
});

test("a key that is none is a mismatch", () => {
  assert.throws(
    () => publicKeyOf({ kty: "OKP", crv: "Ed25519", x: "A".repeat(42) + "!" }),
    (thrown: unknown) => {
      return thrown instanceof CmcpError && thrown.code === "AUDIT_STORE_MISMATCH";
    },
  );
});
