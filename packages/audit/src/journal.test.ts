import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, canonicalBytes, untrusted } from "@cmcp/boundary";
import * as fc from "fast-check";
import {
  decodeRecord,
  MAX_RECORD_BYTES,
  publicKeyOf,
  readRecord,
  unsignedRecord,
  type JournalRecord,
  type JournalStatement,
} from "./journal.ts";
import { leafHash } from "./merkle.ts";
import { MAX_RECEIPT_BYTES } from "./receipt.ts";
import { isAuthentic, receiptOfRecord, signTogether } from "./sign-together.ts";
import { encodeRecord, POLICY, unsigned, WritingInstance } from "./testing/instance.ts";
import { MAX_SIGNED_TOGETHER } from "./tree-signature.ts";

const SESSION = "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90";
const instance = new WritingInstance();
const key = publicKeyOf(instance.jwk);
instance.start(SESSION);
instance.intent(SESSION, "call-1");
instance.call(SESSION, "call-1");
instance.write({
  kind: "claim",
  body: {
    session_id: SESSION,
    sequence_number: 1,
    claim_hash: POLICY,
    claim: { cmcp_version: "1.0", nested: [1, null] },
  },
});

test("every kind of record reads back as written, numbered from 0, and verifies under its instance's key alone", () => {
  const other = publicKeyOf(new WritingInstance().jwk);
  for (const [seq, { bytes, statement }] of instance.journal.entries()) {
    const record = decodeRecord(untrusted(bytes));
    assert.deepEqual(
      [record.seq, record.instance, record.kind, record.body],
      [seq, instance.name, statement.kind, statement.body],
    );
    assert.ok(isAuthentic(record, key));
    assert.ok(!isAuthentic(record, other));
  }
  assert.deepEqual(
    instance.journal.map(({ statement }) => statement.kind),
    ["instance", "entry", "intent", "entry", "claim"],
  );
});

test("whatever of a record is changed, it no longer verifies", () => {
  for (const { bytes } of instance.journal) {
    const record = decodeRecord(untrusted(bytes));
    const changes = [
      { ...record, seq: record.seq + 1 },
      { ...record, instance: "x".repeat(43) },
      ...["", "!", `${record.signature.value.startsWith("A") ? "B" : "A"}${record.signature.value.slice(1)}`].map(
        (value) => ({ ...record, signature: { ...record.signature, value } }),
      ),
    ];
    for (const changed of changes) assert.ok(!isAuthentic(changed, key));
    for (const field of Object.keys(record.body)) {
      const changed = { ...record, body: { ...record.body, [field]: "changed" } } as typeof record;
      assert.ok(!isAuthentic(changed, key), `${record.kind}.${field}`);
    }
  }
});

test("a signature made without the journal's domain is not a record's", () => {
  const record = decodeRecord(untrusted(instance.journal[2]?.bytes ?? new Uint8Array()));
  const { signature: _, ...unsigned } = record;
  for (const bare of [canonicalBytes(unsigned), Buffer.from(leafHash(canonicalBytes(unsigned)), "base64url")]) {
    assert.ok(
      !isAuthentic(
        {
          ...record,
          signature: { ...record.signature, value: Buffer.from(instance.sign(bare)).toString("base64url") },
        },
        key,
      ),
    );
  }
});

test("bytes of any kind are a record of the documented form or AUDIT_STORE_MISMATCH", () => {
  const samples = instance.journal.map(({ bytes }) => bytes);
  const damaged = fc
    .tuple(
      fc.constantFrom(...samples),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      fc.nat(2000),
    )
    .map(([bytes, flips, cut]) => {
      const copy = Uint8Array.from(bytes.subarray(0, Math.max(1, bytes.length - (cut % 5 === 0 ? cut : 0))));
      for (const [at, value] of flips) copy[at % copy.length] = value;
      return copy;
    });
  const json = fc.json().map((text) => new TextEncoder().encode(text));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), json, damaged), (bytes) => {
      try {
        const record = decodeRecord(untrusted(bytes));
        assert.equal(
          isAuthentic(record, key),
          samples.some((sample) => Buffer.compare(sample, canonicalBytes(record)) === 0),
        );
      } catch (thrown) {
        assert.ok(thrown instanceof CmcpError && thrown.code === "AUDIT_STORE_MISMATCH");
      }
    }),
    { numRuns: 500 },
  );
});

test("records of another version, kind or shape are refused", () => {
  const record = decodeRecord(untrusted(instance.journal[2]?.bytes ?? new Uint8Array()));
  const changes: object[] = [
    { v: "cmcp-journal-v1" },
    { kind: "note" },
    { kind: "claim" },
    { seq: -1 },
    { seq: 1.5 },
    { extra: 1 },
    { instance: "short" },
    { signature: "" },
    ...[
      { size: 0 },
      { size: 257 },
      { index: -1 },
      { index: 0.5 },
      { path: ["short"] },
      { path: Array.from({ length: 9 }, () => "A".repeat(43)) },
      { extra: 1 },
    ].map((change) => ({ signature: { ...record.signature, ...change } })),
    { body: { ...record.body, extra: 1 } },
    { body: {} },
  ];
  for (const change of changes) {
    assert.throws(
      () => decodeRecord(untrusted(canonicalBytes({ ...record, ...change }))),
      { code: "AUDIT_STORE_MISMATCH" },
      JSON.stringify(change),
    );
  }
});

test("a record larger than a reader takes is neither read nor written, nor is one nobody could read back", () => {
  assert.throws(() => decodeRecord(untrusted(new Uint8Array(MAX_RECORD_BYTES + 1).fill(0x20))), {
    code: "AUDIT_STORE_MISMATCH",
  });
  const write = (statement: JournalStatement): Uint8Array => encodeRecord(statement, instance.name, 0, instance.sign);
  const claim = (text: string): JournalStatement => ({
    kind: "claim",
    body: { session_id: SESSION, sequence_number: 1, claim_hash: POLICY, claim: { text } },
  });
  assert.throws(() => write(claim("x".repeat(MAX_RECORD_BYTES))), { code: "INTERNAL" });
  assert.throws(
    () => write({ kind: "claim", body: { session_id: SESSION, sequence_number: 0, claim_hash: POLICY, claim: {} } }),
    { code: "INTERNAL" },
  );
  assert.throws(() => encodeRecord(claim(""), "not a thumbprint", 0, instance.sign), { code: "INTERNAL" });
  assert.throws(() => encodeRecord(claim(""), instance.name, -1, instance.sign), { code: "INTERNAL" });
});

test("any 43 characters of base64url are read as a key or refused with a code, and none of them verifies a record", () => {
  const record = decodeRecord(untrusted(instance.journal[0]?.bytes ?? new Uint8Array()));
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{43}$/), (x) => {
      fc.pre(x !== instance.jwk.x);
      try {
        assert.ok(!isAuthentic(record, publicKeyOf({ kty: "OKP", crv: "Ed25519", x })));
      } catch (thrown) {
        assert.ok(thrown instanceof CmcpError && thrown.code === "AUDIT_STORE_MISMATCH");
      }
    }),
  );
  assert.throws(() => publicKeyOf({ kty: "OKP", crv: "Ed25519", x: "AA" }), { code: "AUDIT_STORE_MISMATCH" });
});

/** Signatures of the same record that say something else of the place of its receipt. */
function placesBeside(signature: JournalRecord["signature"]): JournalRecord["signature"][] {
  if (!("receipt_place" in signature) || signature.receipt_place === undefined) return [];
  const { receipt_place: place, ...without } = signature;
  const places = [
    { ...place, index: place.index + 1 },
    { ...place, index: signature.index, path: signature.path },
    { ...place, path: [...place.path, "A".repeat(43)] },
    { ...place, path: place.path.slice(1) },
    { ...place, path: place.path.toReversed() },
  ];
  return [
    without,
    ...places
      .map((other) => ({ ...signature, receipt_place: other }))
      .filter((other) => JSON.stringify(other) !== JSON.stringify(signature)),
  ];
}

test("each of the records signed together is believed without the others, at its own place alone", () => {
  for (const size of [2, 3, 4, 5]) {
    const records = instance.signedTogether(size).map((bytes) => decodeRecord(bytes));
    for (const [at, record] of records.entries()) {
      assert.deepEqual([isAuthentic(record, key), record.seq], [true, at], `${at} of ${size}`);
      const { signature } = record;
      const others = records.filter((other) => other !== record).map((other) => other.signature);
      for (const changed of [
        ...others,
        ...others.map(({ value }) => ({ ...signature, value })).filter(({ value }) => value !== signature.value),
        ...others
          .map(({ path }) => ({ ...signature, path }))
          .filter(({ path }) => String(path) !== String(signature.path)),
        ...Array.from({ length: 8 }, (_, index) => ({ ...signature, index })).filter(
          ({ index }) => index !== signature.index,
        ),
        ...Array.from({ length: 8 }, (_, index) => ({ ...signature, size: index + 1 })).filter(
          (other) => other.size !== signature.size,
        ),
        { ...signature, path: [...signature.path, "A".repeat(43)] },
        { ...signature, path: signature.path.slice(1) },
        { ...signature, path: ["!", ...signature.path.slice(1)] },
        ...placesBeside(signature),
      ].filter((other) => JSON.stringify(other) !== JSON.stringify(signature))) {
        assert.ok(!isAuthentic({ ...record, signature: changed }, key), `${at} of ${size}: ${JSON.stringify(changed)}`);
      }
    }
  }
});

test("as many records as are signed together fit their bounds", () => {
  const entry = instance
    .chain(SESSION)
    .append({ entry_type: "tool_call", call_id: "call-2", policy_decision: "allow", detail: { policy_hash: POLICY } });
  const statements = Array.from({ length: MAX_SIGNED_TOGETHER / 2 }, (_, seq) =>
    unsigned({ kind: "entry", body: { entry, receipt: "plain" } }, instance.name, seq),
  );
  for (const [seq, { record: bytes, receipt }] of signTogether(statements, instance.sign).entries()) {
    assert.ok(bytes.length - (statements[seq]?.record.length ?? 0) < 1536);
    const record = decodeRecord(untrusted(bytes));
    assert.deepEqual(canonicalBytes(record), new Uint8Array(bytes), "stored as canonical JSON");
    assert.ok(isAuthentic(record, key));
    assert.deepEqual(receiptOfRecord(record), receipt);
    assert.ok(canonicalBytes(receipt ?? {}).length < MAX_RECEIPT_BYTES);
  }
});

test("an entry's record says of a receipt what there is of one: its place where it has one, and one only for a decided call", () => {
  const records = instance.journal.map(({ bytes }) => decodeRecord(untrusted(bytes)));
  const [started, call] = records.filter((record) => record.kind === "entry");
  assert.ok(started !== undefined && call?.signature.receipt_place !== undefined && receiptOfRecord(started) === null);
  const { receipt_place: place, ...without } = call.signature;
  const refused = [
    { ...call, signature: without },
    { ...call, body: { ...call.body, receipt: null } },
    { ...started, signature: { ...started.signature, receipt_place: place } },
    {
      ...started,
      signature: { ...started.signature, receipt_place: place },
      body: { ...started.body, receipt: "plain" },
    },
  ];
  for (const record of refused)
    assert.throws(() => decodeRecord(untrusted(canonicalBytes(record))), { code: "AUDIT_STORE_MISMATCH" });
});

test("what is no record is null, and what is no fault of its bytes is thrown", () => {
  assert.equal(readRecord(untrusted(new TextEncoder().encode("{}"))), null);
  assert.equal(readRecord(untrusted(new TextEncoder().encode("{"))), null);
  assert.deepEqual(readRecord(instance.records[0] ?? untrusted(new Uint8Array()))?.kind, "instance");
  assert.throws(() => readRecord(untrusted(null as never)), TypeError);
});

test("every text, list and number of a record ends where its bound is", () => {
  const writes = (statement: JournalStatement): boolean => {
    try {
      return unsignedRecord(statement, instance.name, 0).length > 0;
    } catch (thrown) {
      assert.ok(thrown instanceof CmcpError && thrown.code === "INTERNAL");
      return false;
    }
  };
  const text = (length: number): string => "x".repeat(length);
  const repeated = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);
  const facts = {
    jwk: instance.jwk,
    gateway_version: "1",
    policy_hash: POLICY,
    catalog_hash: POLICY,
    boot_time: "2026-08-01T00:00:00.000Z",
  };
  const begun = (change: object): JournalStatement => ({ kind: "instance", body: { ...facts, ...change } });
  const provision = (change: object): JournalStatement => ({
    kind: "provision",
    body: { sequence: 1, principals: [], credentials: [], ...change },
  });
  const principal = (change: object) => ({ principals: [{ principal: "p", tokens: [], ...change }] });
  const claim = (change: object): JournalStatement => ({
    kind: "claim",
    body: { session_id: SESSION, sequence_number: 1, claim_hash: POLICY, claim: {}, ...change },
  });
  for (const [least, most, statement] of [
    [0, 4096, (length: number) => begun({ gateway_version: text(length) })],
    [0, 10_923, (length: number) => begun({ sealed_identity: text(length) })],
    [43, 43, (length: number) => begun({ previous: { instance: text(length), records: 0 } })],
    [0, null, (records: number) => begun({ previous: { instance: instance.name, records } })],
    [1, null, (sequence: number) => provision({ sequence })],
    [1, 128, (length: number) => provision(principal({ principal: text(length) }))],
    [0, 4_000, (count: number) => provision(principal({ tokens: repeated(count, "0".repeat(64)) }))],
    [0, 4_000, (count: number) => provision({ principals: repeated(count, { principal: "p", tokens: [] }) })],
    [0, 4_000, (count: number) => provision({ credentials: repeated(count, "c") })],
    [1, 64, (length: number) => provision({ credentials: [text(length)] })],
    [1, null, (sequence_number: number) => claim({ sequence_number })],
    [86, 86, (length: number) => claim({ end: { bundle_signature: text(length) } })],
  ] as const) {
    assert.ok(writes(statement(least)), JSON.stringify(statement(least)));
    assert.ok(least === 0 || !writes(statement(least - 1)), JSON.stringify(statement(least)));
    if (most === null) continue;
    assert.ok(writes(statement(most)) && !writes(statement(most + 1)), JSON.stringify(statement(least)));
  }
  assert.ok(!writes(begun({ previous: { instance: instance.name, records: -1 } })));
  assert.ok(!writes(provision({ tokenless: false })) && writes(provision({ tokenless: true })));
});

test("an intent's call has a name of 1 to 256 characters, its other texts 4096 at most", () => {
  const read = (change: object): boolean => {
    const { signature, ...record } = decodeRecord(instance.records[2] ?? untrusted(new Uint8Array()));
    const changed = { ...record, body: { ...record.body, ...change }, signature };
    return readRecord(untrusted(canonicalBytes(changed))) !== null;
  };
  assert.ok(read({ call_id: "x" }) && read({ call_id: "x".repeat(256) }));
  assert.ok(!read({ call_id: "" }) && !read({ call_id: "x".repeat(257) }));
  for (const name of ["tool_name", "server_identity", "workflow_id", "request_hash", "session_sensitivity"])
    assert.ok(read({ [name]: "x".repeat(4096) }) && !read({ [name]: "x".repeat(4097) }), name);
  assert.ok(read({ compartments: "x", integrity: "untrusted" }) && !read({ integrity: "trusted" }));
});

test("a record of 16 MiB less the room for its signature is written, and not one byte more", () => {
  const length = (characters: number): number =>
    unsignedRecord(
      {
        kind: "claim",
        body: { session_id: SESSION, sequence_number: 1, claim_hash: POLICY, claim: { text: "x".repeat(characters) } },
      },
      instance.name,
      0,
    ).length;
  const most = 16 * 1024 * 1024 - 1536;
  const room = most - length(0);
  assert.equal(length(room), most);
  assert.throws(() => length(room + 1), { code: "INTERNAL", message: /larger than/ });
});
