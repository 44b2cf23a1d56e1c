import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { auditorOf, openPayloads, openSessionKey, readRecord, type JournalRecord } from "@cmcp/audit";
import { MAX_KEPT_TEXT } from "@cmcp/audit/schema";
import { canonicalText, untrusted } from "@cmcp/boundary";
import { randomBytes, X_WING_SUITE } from "@cmcp/seal";
import { messagesCommitment, requestCommitment } from "../testing/commitments.ts";
import { makeCall, requestFor, sessionOf } from "../testing/calls.ts";
import { callerOf, HostStore, recordRoom, type RecordRoomOptions } from "../testing/record-room.ts";
import { SessionCommitments } from "./session-commitments.ts";

const privateKey = X_WING_SUITE.kem.keyOf(randomBytes(32));
const POLICY = `sha256:${"a".repeat(64)}`;
const auditors = [auditorOf(privateKey.publicKey)];

/** A session with one recorded call, and the records that the host has of it. */
async function recordedCall(choices: RecordRoomOptions) {
  const store = new HostStore();
  const room = recordRoom(store, choices);
  const recorded = await room.sessions.openOrJoin(callerOf("alice"), null);
  await room.recorder.ensureStarted(recorded);
  const { id, requestHash, commitments } = makeCall(requestFor({ arguments: { q: "the payload" } }), { recorded });
  commitments.response.add({ result: {} });
  const fields = {
    entry_type: "tool_call",
    call_id: id,
    policy_decision: "allow",
    detail: { policy_hash: POLICY },
  } as const;
  await room.recorder.decision(recorded, fields, commitments.payloads(requestHash));
  const records = store.records.flatMap(({ leaf, body }) => readRecord(untrusted(leaf), untrusted(body)) ?? []);
  return { id, requestHash, records, recorded };
}

const kindsOf = (records: readonly JournalRecord[]): string[] => records.map(({ kind }) => kind);

test("with auditors the session's key is stored beside its root, and what a call commits to before its entry", async () => {
  const { id, records, recorded } = await recordedCall({ auditors });
  assert.deepEqual(kindsOf(records), ["entry", "session-key", "disclosure", "entry"]);
  const [, sealed, kept] = records;
  assert.ok(sealed?.kind === "session-key" && kept?.kind === "disclosure");
  assert.deepEqual([kept.body.session_id, kept.body.call_id], [recorded.session.id, id]);
  assert.equal(canonicalText(records).includes("the payload"), false);
  const key = openSessionKey(sealed.body, privateKey);
  assert.ok(key !== null);
  const texts = openPayloads(key, kept.body);
  assert.match(texts?.request ?? "", /the payload/);
  assert.equal(texts?.response, '[{"result":{}}]');
});

test("without auditors nothing is kept, and no key leaves", async () => {
  const { records } = await recordedCall({});
  assert.deepEqual(kindsOf(records), ["entry", "entry"]);
  assert.equal(new SessionCommitments(randomUUID()).ofCall("c").texts("sha256:"), null);
});

test("a reset gives its successor a key of its own, and a running call is kept under the one it began with", async () => {
  const store = new HostStore();
  const room = recordRoom(store, { auditors });
  const recorded = await room.sessions.openOrJoin(callerOf("alice"), null);
  await room.recorder.ensureStarted(recorded);
  const before = recorded.id;
  const running = recorded.commitments.ofCall("running");
  const after = randomUUID();
  await room.recorder.note(recorded, {
    entry_type: "session_reset",
    detail: { policy_hash: POLICY, closed_session_id: before, successor_session_id: after },
  }).stored;
  room.sessions.rename(recorded);
  await room.recorder.writeKey(recorded);
  assert.equal(running.payloads("sha256:")?.session_id, before);
  assert.equal(recorded.commitments.ofCall("later").payloads("sha256:")?.session_id, after);
  const records = store.records.flatMap(({ leaf, body }) => readRecord(untrusted(leaf), untrusted(body)) ?? []);
  const keys = records.flatMap((record) => (record.kind === "session-key" ? [record.body] : []));
  assert.deepEqual(
    keys.map(({ session_id }) => session_id),
    [before, after],
  );
  const [first, second] = keys.map((key) => openSessionKey(key, privateKey)?.export().toString("hex"));
  assert.ok(first !== undefined && second !== undefined && first !== second);
});

test("no two calls of a session are encrypted under one nonce", () => {
  const commitments = new SessionCommitments(randomUUID(), auditors);
  const numbers = Array.from(
    { length: 5 },
    (_, call) => commitments.ofCall(`call-${call}`).payloads("sha256:")?.number,
  );
  assert.equal(new Set(numbers).size, numbers.length);
});

test("the request that is kept is the one that the entry commits to", () => {
  const call = new SessionCommitments(randomUUID(), auditors).ofCall("c");
  const [first, second] = [call.toRequest("1"), call.toRequest("2")];
  assert.deepEqual([call.texts(first)?.request, call.texts(second)?.request], ["1", "2"]);
});

test("what has no room is left out, and the commitment to it stays", () => {
  const call = new SessionCommitments(randomUUID(), auditors).ofCall("c");
  const request = call.toRequest("{}");
  call.upstream.add({ text: "x".repeat(MAX_KEPT_TEXT) });
  call.response.add({ text: "x".repeat(MAX_KEPT_TEXT - 100) });
  call.answers.add({ text: "x".repeat(200) });
  call.cedar.add({});
  const texts = call.texts(request);
  assert.deepEqual(Object.keys(texts ?? {}), ["request", "response", "cedar"]);
  assert.match(call.upstream.digest(), /^sha256:/);
});

test("the same request has another commitment in each call and in each session", () => {
  const [one, other] = [sessionOf(), sessionOf()];
  const request = { method: "tools/call", params: { name: "lookup" } };
  const commitments = [
    requestCommitment(one, "call-a", request),
    requestCommitment(one, "call-b", request),
    requestCommitment(other, "call-a", request),
  ];
  assert.equal(new Set(commitments).size, commitments.length);
  assert.equal(requestCommitment(one, "call-a", request), commitments[0], "within a call it is one commitment");
});

test("the same messages have another commitment in each field", () => {
  const session = sessionOf();
  const commitments = (["response", "upstream", "cedar", "answers"] as const).map((field) =>
    messagesCommitment(session, "call-a", field, [{ result: {} }]),
  );
  assert.equal(new Set(commitments).size, commitments.length);
});
