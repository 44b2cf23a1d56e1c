/** Which key may run a call, over a real record and its restarts. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { callKeyDetail, type CallKey, type Receipt } from "@cmcp/audit";
import { formatIdempotencyKey, readIdempotencyKey, type IdempotencyKey } from "@cmcp/boundary";
import { callerOf, HostStore, ORIGIN, recordRoom } from "../testing/record-room.ts";
import { KeyedCalls, type EndedKey, type TakenKey } from "./keyed-calls.ts";
import { readLog } from "./read-log.ts";
import type { RecordedSession } from "./recorded-session.ts";
import { recoverInterrupted } from "./recovery.ts";

const POLICY = `sha256:${"a".repeat(64)}`;
const REQUEST = { method: "tools/call", name: "echo" };
const believed = (): Promise<boolean> => Promise.resolve(true);

/** An instance over a log, with what it knows of keys. */
async function start(store = new HostStore()) {
  const room = recordRoom(store);
  const past = await readLog({ journal: room.journal, origin: ORIGIN, lostStore: null, believes: believed });
  room.journal.state = past.state;
  await room.begin({ history: past.history, predecessor: past.predecessor });
  const { journal, sessions, vocabulary, recorder } = room;
  const root = () => ({ ...room.facts, history: past.history });
  const now = (): number => Date.now();
  await recoverInterrupted({ journal, sessions, vocabulary, root, now, floorMs: 1e9, killSwitch: null }, past.state);
  const keyed = new KeyedCalls({
    journal,
    believedFrom: () => past.state.believedFrom,
    origin: ORIGIN,
    used: past.state.keys,
    firstSize: past.range.size + 1,
  });
  const session = async (principal = "alice"): Promise<RecordedSession> => {
    const recorded = await sessions.openOrJoin(callerOf(principal), null);
    await recorder.ensureStarted(recorded);
    return recorded;
  };
  const intend = async (call: CallKey, id = "one"): Promise<void> =>
    await recorder.intent(await session(), {
      call_id: id,
      tool_name: "echo",
      server_identity: null,
      workflow_id: "default",
      request_hash: POLICY,
      policy_hash: POLICY,
      session_sensitivity: "public",
      ...callKeyDetail(call),
    });
  const end = async (call: CallKey, id = "one", principal = "alice"): Promise<Receipt> =>
    await recorder.decision(await session(principal), {
      entry_type: "tool_call",
      call_id: id,
      policy_decision: "allow",
      session_sensitivity_after: "public",
      detail: { policy_hash: POLICY, outcome: "delivered", ...callKeyDetail(call) },
    });
  /** A key that names the log as it is now. */
  const newKey = (size = journal.size): IdempotencyKey => {
    const key = readIdempotencyKey(formatIdempotencyKey(size, randomBytes(16)));
    return key ?? assert.fail();
  };
  return { store, room, past, keyed, intend, end, newKey, session };
}

function taken(result: TakenKey | EndedKey): TakenKey {
  return result.kind === "taken" ? result : assert.fail("the key has a call");
}

test("a key is taken once, and given back by a call that left no record", async () => {
  const { keyed, newKey } = await start();
  const key = newKey();
  assert.deepEqual(keyed.standingOf("alice", key), { kind: "unseen", mayStillRun: true });
  const first = taken(keyed.take("alice", key, REQUEST));
  assert.deepEqual(keyed.standingOf("alice", key), { kind: "running" });
  assert.throws(() => keyed.take("alice", key, REQUEST), { code: "IDEMPOTENCY_RUNNING" });
  assert.throws(() => keyed.take("alice", key, { ...REQUEST, name: "other" }), { code: "IDEMPOTENCY_CONFLICT" });
  assert.equal(taken(keyed.take("bob", key, REQUEST)).kind, "taken", "another principal's key is another key");
  first.release();
  assert.deepEqual(keyed.standingOf("alice", key), { kind: "unseen", mayStillRun: true });
  taken(keyed.take("alice", key, REQUEST));
});

test("a call that may have left keeps its key whatever became of it, and one that ended answers with its receipt", async () => {
  const { keyed, newKey, intend, end, store } = await start();
  const key = newKey();
  const { call, release } = taken(keyed.take("alice", key, REQUEST));
  await intend(call);
  release();
  assert.deepEqual(keyed.standingOf("alice", key), { kind: "running" });
  assert.throws(() => keyed.take("alice", key, REQUEST), { code: "IDEMPOTENCY_RUNNING" });
  const receipt = await end(call);
  const ended = keyed.take("alice", key, REQUEST);
  assert.ok(ended.kind === "ended");
  assert.throws(() => keyed.take("alice", key, { ...REQUEST, name: "other" }), { code: "IDEMPOTENCY_CONFLICT" });
  const { receipt: again, ...outcome } = (await keyed.ended(ended)) ?? assert.fail();
  assert.deepEqual(outcome, {
    call_id: "one",
    session_id: receipt.session_id,
    decision: "allow",
    outcome: "delivered",
    error_code: null,
  });
  assert.deepEqual([again?.entry_hash, again?.log.index], [receipt.entry_hash, receipt.log.index]);
  assert.deepEqual(keyed.standingOf("bob", key), { kind: "unseen", mayStillRun: true });
  store.records = store.records.filter(({ index }) => index !== receipt.log.index);
  await assert.rejects(keyed.ended(ended), { code: "AUDIT_STORE_MISMATCH" });
});

test("what the host has not stored is no end yet, and another record in its place is found", async () => {
  const { keyed, newKey, end, room } = await start();
  const { call } = taken(keyed.take("alice", newKey(), REQUEST));
  const { log } = await end(call);
  assert.equal(await keyed.ended({ kind: "ended", key: call.key, index: room.journal.size }), null);
  for (const wrong of [
    { key: call.key, index: log.index - 1 },
    { key: "0".repeat(64), index: log.index },
  ])
    await assert.rejects(keyed.ended({ kind: "ended", ...wrong }), { code: "AUDIT_STORE_MISMATCH" });
});

test("a key from before this start, or from beyond the log, never runs", async () => {
  const first = await start();
  const [old, unused] = [first.newKey(), first.newKey()];
  await first.end(taken(first.keyed.take("alice", old, REQUEST)).call);
  for (const snapshot of [false, true]) {
    if (snapshot) await first.room.journal.writeSnapshot();
    const next = await start(first.store);
    for (const key of [old, unused])
      assert.throws(() => next.keyed.take("alice", key, REQUEST), { code: "IDEMPOTENCY_KEY_REFUSED" });
    const last = next.newKey(next.past.range.size);
    assert.throws(() => next.keyed.take("alice", last, REQUEST), { code: "IDEMPOTENCY_KEY_REFUSED" });
    taken(next.keyed.take("alice", next.newKey(next.past.range.size + 1), REQUEST));
    const beyond = next.newKey(next.room.journal.size + 1);
    assert.throws(() => next.keyed.take("alice", beyond, REQUEST), { code: "IDEMPOTENCY_KEY_REFUSED" });
    assert.throws(() => next.keyed.standingOf("alice", beyond), { code: "IDEMPOTENCY_KEY_REFUSED" });
    // What became of it is answered all the same, and of one that nobody used that it never will be.
    const standing = next.keyed.standingOf("alice", old);
    assert.ok(standing.kind === "ended");
    assert.equal((await next.keyed.ended(standing))?.receipt?.decision, "allow");
    assert.deepEqual(next.keyed.standingOf("alice", unused), { kind: "unseen", mayStillRun: false });
  }
});

test("a call that a crash left open ends as a fault of unknown outcome, with and without a snapshot", async () => {
  for (const snapshot of [false, true]) {
    const first = await start();
    const key = first.newKey();
    await first.intend(taken(first.keyed.take("alice", key, REQUEST)).call);
    if (snapshot) await first.room.journal.writeSnapshot();
    const next = await start(first.store);
    const standing = next.keyed.standingOf("alice", key);
    assert.ok(standing.kind === "ended");
    const { session_id: _, ...ended } = (await next.keyed.ended(standing)) ?? assert.fail();
    assert.deepEqual(ended, {
      call_id: "one",
      decision: "fault",
      outcome: "unknown",
      error_code: null,
      receipt: null,
    });
  }
});

test("where the past is not to be relied on, no old key is said to be unseen", async () => {
  const first = await start();
  const key = first.newKey();
  await first.end(taken(first.keyed.take("alice", key, REQUEST)).call);
  const last = first.store.records.at(-1) ?? assert.fail();
  first.store.records = [...first.store.records.slice(0, -1), { ...last, body: Buffer.from("{}") }];
  const next = await start(first.store);
  assert.equal(next.past.history.state, "incomplete");
  assert.deepEqual(next.keyed.standingOf("alice", key), { kind: "forgotten" });
  await next.room.journal.writeSnapshot();
  assert.deepEqual((await start(first.store)).keyed.standingOf("alice", key), { kind: "forgotten" });
});

test("the key before the last 4096 of a principal is forgotten and refused, and those after it are remembered", async () => {
  const { keyed, newKey, room } = await start();
  const { journal } = room;
  const note = (key: IdempotencyKey): void => {
    const { call, release } = taken(keyed.take("alice", key, REQUEST));
    // As a record of the call would, without 4096 of them.
    journal.state.keys.note({ principal: "alice", ...call }, journal.size, true);
    release();
  };
  const [first, second] = [newKey(), newKey()];
  for (const key of [first, second]) note(key);
  for (let more = 0; more < 4_094; more += 1) note(newKey());
  assert.equal(keyed.take("alice", first, REQUEST).kind, "ended");
  note(newKey());
  assert.deepEqual(keyed.standingOf("alice", first), { kind: "forgotten" });
  assert.throws(() => keyed.take("alice", first, REQUEST), { code: "IDEMPOTENCY_KEY_REFUSED" });
  assert.equal(keyed.take("alice", second, REQUEST).kind, "ended");
  taken(keyed.take("bob", first, REQUEST));
});
