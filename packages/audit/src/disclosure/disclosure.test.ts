import assert from "node:assert/strict";
import { createSecretKey, hash, randomBytes, randomUUID } from "node:crypto";
import { test } from "node:test";
import { fromHex } from "@cmcp/boundary";
import { SUITES, X25519_SUITE, X_WING_SUITE, type Suite } from "@cmcp/seal";
import * as fc from "fast-check";
import { commitmentTo, saltOf } from "../commitment.ts";
import { COMMITTED_FIELDS } from "../committed-field.ts";
import { encodeRecord } from "../journal.ts";
import { MAX_KEPT_TEXT } from "./disclosed-call.ts";
import { disclose, openPayloads, sealPayloads, type CommittedTexts } from "./kept-payloads.ts";
import { auditorOf, openSessionKey, sealSessionKey, sessionKeySchema, type SessionKeyRecord } from "./session-key.ts";

const SESSION = randomUUID();
const newKey = () => createSecretKey(randomBytes(32));
const KEY = newKey();
const newAuditor = ({ kem }: Suite) => {
  const key = kem.keyOf(randomBytes(32));
  return { key, ...auditorOf(key.publicKey) };
};

for (const suite of SUITES)
  test(`each auditor with ${suite.kem.name} opens the session's key, and nobody else does, nor for another session`, () => {
    const [one, two, stranger] = [newAuditor(suite), newAuditor(suite), newAuditor(suite)];
    const record = sessionKeySchema.parse(sealSessionKey(SESSION, KEY, [one, two]));
    for (const { key } of [one, two]) assert.ok(openSessionKey(record, key)?.equals(KEY));
    assert.equal(openSessionKey(record, stranger.key), null);
    assert.equal(openSessionKey({ ...record, session_id: randomUUID() }, one.key), null);
    const [first, second] = record.keys;
    assert.ok(first !== undefined && second !== undefined);
    const swapped = { ...record, keys: [{ ...first, auditor: two.id }] };
    assert.equal(openSessionKey(swapped, two.key), null, "a key sealed to another auditor");
    assert.equal(JSON.stringify(record).includes(KEY.export().toString("base64url")), false);
  });

test("auditors of both mechanisms stand in one record, each under the mechanism of its key", () => {
  const [wing, curve] = [newAuditor(X_WING_SUITE), newAuditor(X25519_SUITE)];
  const record = sessionKeySchema.parse(sealSessionKey(SESSION, KEY, [wing, curve]));
  assert.deepEqual(
    record.keys.map(({ auditor, kem, enc, sealed }) => [auditor, kem, enc.length, sealed.length]),
    [
      [wing.id, "x-wing", 1494, 64],
      [curve.id, "x25519", 43, 64],
    ],
  );
  assert.equal(record.v, "cmcp-session-key-v2");
  for (const { key } of [wing, curve]) assert.ok(openSessionKey(record, key)?.equals(KEY));
  const [first, second] = record.keys;
  for (const [own, other] of [
    [first, second],
    [second, first],
  ])
    assert.equal(sessionKeySchema.safeParse({ ...record, keys: [{ ...own, kem: other?.kem }] }).success, false);
  assert.equal(sessionKeySchema.safeParse({ ...record, v: "cmcp-session-key-v1" }).success, false);
});

test("an entry that names another mechanism than the auditor's key has is not opened", () => {
  const { key, id } = newAuditor(X25519_SUITE);
  const record = sealSessionKey(SESSION, KEY, [{ ...auditorOf(key.publicKey) }]);
  const [own] = record.keys;
  assert.ok(own !== undefined && own.auditor === id);
  assert.equal(openSessionKey({ ...record, keys: [{ ...own, kem: "x-wing" }] }, key), null);
});

test("a record has one to eight auditors, and a key of 32 bytes", () => {
  const auditors = Array.from({ length: 9 }, () => newAuditor(X25519_SUITE));
  const isRead = (count: number): boolean =>
    sessionKeySchema.safeParse(sealSessionKey(SESSION, KEY, auditors.slice(0, count))).success;
  assert.deepEqual([isRead(0), isRead(1), isRead(8), isRead(9)], [false, true, true, false]);
  const [auditor] = auditors;
  assert.ok(auditor !== undefined);
  for (const length of [31, 33]) {
    const record = sealSessionKey(SESSION, createSecretKey(randomBytes(length)), [auditor]);
    assert.equal(openSessionKey(record, auditor.key), null, "a key of another length");
  }
  const [own] = sealSessionKey(SESSION, KEY, [auditor]).keys;
  assert.ok(own !== undefined);
  for (const change of [{ enc: "!" }, { sealed: "!" }]) {
    const record: SessionKeyRecord = {
      v: "cmcp-session-key-v2",
      session_id: SESSION,
      keys: [{ ...own, ...change }],
    };
    assert.equal(openSessionKey(record, auditor.key), null, JSON.stringify(change));
  }
});

test("an auditor's id is the digest of its SubjectPublicKeyInfo", () => {
  const { key, id } = newAuditor(X25519_SUITE);
  const spki = Buffer.concat([Buffer.from("302a300506032b656e032100", "hex"), key.publicKey]);
  assert.equal(id, hash("sha256", spki, "buffer").toString("base64url"));
  assert.match(newAuditor(X_WING_SUITE).id, /^[A-Za-z0-9_-]{43}$/);
});

test("an auditor's key to which nothing can be sealed is refused before it is used", () => {
  for (const bytes of [0, 31, 32, 33, 1_215, 1_216])
    assert.throws(() => auditorOf(new Uint8Array(bytes).fill(bytes > 33 ? 0xff : 0)), { code: "USAGE" }, String(bytes));
});

const texts = fc
  .dictionary(fc.constantFrom(...COMMITTED_FIELDS), fc.string(), { noNullPrototype: true })
  .map((value): CommittedTexts => value);

test("property: what is kept opens under the session's key at its place, and nowhere else", () => {
  fc.assert(
    fc.property(texts, fc.uuid(), fc.integer({ min: 1, max: 2 ** 40 }), fc.nat(), (kept, call, number, at) => {
      const record = sealPayloads(KEY, { session_id: SESSION, call_id: call, number }, kept);
      assert.deepEqual(openPayloads(KEY, record), kept);
      assert.equal(openPayloads(newKey(), record), null);
      assert.equal(openPayloads(KEY, { ...record, number: number + 1 }), null);
      assert.equal(openPayloads(KEY, { ...record, session_id: randomUUID() }), null);
      assert.equal(openPayloads(KEY, { ...record, call_id: `${call}x` }), null);
      const bytes = Buffer.from(record.sealed, "base64url");
      const place = at % bytes.length;
      bytes[place] = (bytes[place] ?? 0) ^ 1;
      assert.equal(openPayloads(KEY, { ...record, sealed: bytes.toString("base64url") }), null);
    }),
    { numRuns: 50 },
  );
});

test("property: a disclosed call has each text and the salt of its commitment, and no key", () => {
  fc.assert(
    fc.property(texts, fc.uuid(), (kept, call) => {
      const { fields } = disclose(KEY, { session_id: SESSION, call_id: call, number: 1 }, 7, kept);
      assert.deepEqual(Object.keys(fields).sort(), Object.keys(kept).sort());
      for (const field of COMMITTED_FIELDS) {
        const shown = fields[field];
        if (shown === undefined) continue;
        const expected = commitmentTo(field, saltOf(KEY, call, field), kept[field] ?? "");
        assert.equal(commitmentTo(field, fromHex(shown.salt) ?? new Uint8Array(), shown.text), expected);
      }
    }),
  );
});

test("the longest texts fit into a record, whatever their characters need", () => {
  for (const character of ['"', "\u20ac"]) {
    const place = { session_id: SESSION, call_id: randomUUID(), number: 1 };
    const body = sealPayloads(KEY, place, { response: character.repeat(MAX_KEPT_TEXT) });
    encodeRecord({ kind: "disclosure", body }, { instance: "i".repeat(43), seq: 0 });
    assert.equal(openPayloads(KEY, body)?.response?.length, MAX_KEPT_TEXT);
  }
});
