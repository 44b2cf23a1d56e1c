/** What claims need of a session's entries, kept as they are written, against what reading all of them gives. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { bundleText, readRecord, type EntryFields } from "@cmcp/audit";
import { untrusted } from "@cmcp/boundary";
import { CallSummaryBuilder } from "@cmcp/claim";
import { entriesOf } from "../testing/entries.ts";
import { callerOf, HostStore, ofSession, recordRoom } from "../testing/record-room.ts";

const alice = callerOf("alice");
const hashOf = (letter: string): string => `sha256:${letter.repeat(64)}`;

const fields = fc.oneof(
  fc
    .record({
      tool_name: fc.constantFrom(null, "a", "b", "ä"),
      policy_decision: fc.constantFrom("allow", "deny", "redact", "fault", "step_up"),
      effective_data_class: fc.constantFrom(null, "public", "pii"),
      session_sensitivity_after: fc.constantFrom("public", "pii"),
    })
    .map(
      (call): EntryFields => ({ ...call, entry_type: "tool_call", call_id: "c", detail: { policy_hash: hashOf("a") } }),
    ),
  fc.constantFrom("b", "c").map(
    (letter): EntryFields => ({
      entry_type: "policy_load",
      policy_decision: "n/a",
      detail: { policy_hash: hashOf(letter), policy_version: letter },
    }),
  ),
  fc.constant<EntryFields>({ entry_type: "fault", policy_decision: "n/a" }),
);

test("a claim, open or at the close, says what reading every entry says", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fields, { maxLength: 20 }), fc.array(fields, { maxLength: 5 }), async (first, later) => {
      const store = new HostStore();
      const room = recordRoom(store);
      const recorded = await room.sessions.openOrJoin(alice, null);
      await room.recorder.ensureStarted(recorded);
      for (const one of first) await room.recorder.record(recorded, one).stored;
      const open = room.claims.claimOpen(recorded);
      for (const one of later) await room.recorder.record(recorded, one).stored;
      const closed = await room.closing.close(recorded);
      const entries = entriesOf(store, recorded.session.id);
      assert.equal(entries.length, closed.gateway.audit_chain.length);
      for (const claim of [await open, closed]) {
        const { length, tip } = claim.gateway.audit_chain;
        const covered = entries.slice(0, length);
        assert.equal(covered.at(-1)?.entry_hash, tip);
        const fold = new CallSummaryBuilder();
        for (const entry of covered) fold.add(entry);
        const { transcript, total, allowed, denied, faulted, toolsInvoked, maxSensitivity } = fold.finish();
        assert.deepEqual(claim.trace.tool_transcript, {
          hash: `sha256:${tip}`,
          call_count: total,
          entries: transcript,
        });
        const { call_summary: summary } = claim.gateway;
        assert.deepEqual(
          [summary.tool_calls_allowed, summary.tool_calls_denied, summary.tool_calls_faulted, summary.tools_invoked],
          [allowed, denied, faulted, toolsInvoked],
        );
        assert.equal(claim.trace.data_class, maxSensitivity);
        const latest = covered.findLast(({ entry_type: type }) => type === "policy_load" || type === "session_start");
        assert.deepEqual(
          [claim.trace.policy.bundle_hash, claim.trace.policy.version],
          [latest?.detail?.["policy_hash"], latest?.detail?.["policy_version"]],
        );
      }
      const [, record] = ofSession(store, recorded.session.id, "claim").map(({ leaf, body }) =>
        readRecord(untrusted(leaf), untrusted(body)),
      );
      assert.ok(record?.kind === "claim");
      const bundle = [...bundleText(recorded.session.id, entries, (bytes) => room.key.sign(bytes))].join("");
      assert.ok(bundle.endsWith(`,"bundle_signature":"${record.body.end?.bundle_signature}"}`));
    }),
    { numRuns: 60 },
  );
});

test("many long sessions that close at one time have their claims written a few at a time", async () => {
  const store = new HostStore();
  const room = recordRoom(store, { max: 100, maxPerPrincipal: 100 });
  const append = room.journal.append.bind(room.journal);
  let [writing, most] = [0, 0];
  room.journal.append = async (session, statement, receipt) => {
    if (statement.kind !== "claim") return await append(session, statement, receipt);
    writing += 1;
    most = Math.max(most, writing);
    await new Promise(setImmediate);
    writing -= 1;
    return await append(session, statement, receipt);
  };
  const claims = Array.from({ length: 64 }, async (_, index) => {
    const recorded = await room.sessions.openOrJoin(callerOf(`principal-${index % 8}`), `${index}`);
    await room.recorder.ensureStarted(recorded);
    return await room.closing.close(recorded);
  });
  const numbers = (await Promise.all(claims)).map(({ gateway }) => gateway.sequence_number);
  assert.deepEqual(
    numbers.toSorted((a, b) => a - b),
    numbers.map((_, index) => index + 1),
  );
  assert.ok(most >= 2 && most <= 4, `${most} at one time`);
});

/** Refused calls of tools that nobody has, whose names take memory, until the session takes no more. */
async function fill(
  room: ReturnType<typeof recordRoom>,
  label: string,
  nameOf = (count: number) => `${count}`.padEnd(4_000, "x"),
) {
  const recorded = await room.sessions.openOrJoin(alice, label);
  await room.recorder.ensureStarted(recorded);
  for (let count = 0; recorded.lifecycle.takesCalls; count += 1)
    await room.recorder.decision(recorded, {
      entry_type: "tool_call",
      call_id: `${count}`,
      tool_name: nameOf(count),
      policy_decision: "deny",
      detail: { policy_hash: hashOf("a") },
    });
  return recorded;
}

test("a session that is full ends itself once its running calls are done, and another one goes on for it", async () => {
  const store = new HostStore();
  const room = recordRoom(store);
  const running = Promise.withResolvers<void>();
  const before = await room.sessions.openOrJoin(alice, "work");
  const call = before.run(new AbortController().signal, async (signal) => {
    await running.promise;
    assert.ok(!signal.aborted, "the session that is full does not abort it");
    await room.recorder.note(before, { entry_type: "fault" }).stored;
  });
  before.session.raise(room.vocabulary.highest);
  const recorded = await fill(room, "work");
  assert.equal(recorded, before);
  assert.ok(recorded.chain.length < 300 && recorded.isFull);
  await assert.rejects(
    recorded.run(new AbortController().signal, () => Promise.resolve()),
    { code: "SESSION_CLOSED" },
  );
  const next = await room.sessions.openOrJoin(alice, "work");
  assert.notEqual(next.id, recorded.id);
  assert.equal(next.session, recorded.session, "handle, label and what was seen are the same");
  assert.equal(next.flows, recorded.flows);
  assert.equal(room.sessions.byHandle(alice, recorded.session.handle), next);
  assert.equal(room.sessions.currentOf(recorded.session), next);
  assert.equal(recorded.close, null, "a call of it runs still");
  running.resolve();
  await call;
  while (room.sessions.byId(alice, recorded.id) !== undefined) await new Promise(setImmediate);
  const closed = room.sessions.closedById(alice, recorded.id);
  assert.equal(closed?.claim.gateway.audit_chain.length, recorded.chain.length);
  const end = entriesOf(store, recorded.id).at(-1);
  assert.equal(end?.entry_type, "session_end");
  assert.equal(end.detail?.["successor_session_id"], next.id);
  assert.equal(entriesOf(store, recorded.id).at(-2)?.entry_type, "fault", "the running call has its entry");

  assert.deepEqual(room.sessions.openSessions(), [next]);
  const claim = await room.closing.close(next);
  const [start] = entriesOf(store, next.id);
  assert.equal(start?.detail?.["closed_session_id"], recorded.id);
  assert.equal(start.session_sensitivity_after, recorded.session.sensitivity);
  assert.equal(claim.gateway.sequence_number, closed.claim.gateway.sequence_number + 1);
  assert.equal(room.sessions.byHandle(alice, recorded.session.handle), undefined);
  assert.equal(room.sessions.openCount, 0);
});

test("a session that was evicted and becomes full opens no other", async () => {
  const store = new HostStore();
  const room = recordRoom(store);
  const recorded = await room.sessions.openOrJoin(alice, "old");
  await room.recorder.ensureStarted(recorded);
  room.sessions.release(recorded);
  room.closing.retire(recorded);
  while (room.sessions.openSessions().length > 0) await new Promise(setImmediate);
  assert.equal(entriesOf(store, recorded.id).at(-1)?.detail?.["successor_session_id"], undefined);
});

test("a session whose transcript is as long as a claim may hold is full, also if all its calls are alike", async () => {
  const room = recordRoom(new HostStore());
  const recorded = await fill(room, "alike", () => "x".repeat(4_000));
  assert.ok(recorded.chain.length > 2_000 && recorded.chain.length < 2_200, `${recorded.chain.length} entries`);
});

test("a session whose chain has little room left is full", async () => {
  const room = recordRoom(new HostStore());
  const recorded = await room.sessions.openOrJoin(alice, null);
  await room.recorder.ensureStarted(recorded);
  for (const [left, isFull] of [
    [1_024, false],
    [1_023, true],
  ] as const) {
    Object.defineProperty(recorded.chain, "room", { value: left, configurable: true });
    assert.equal(recorded.isFull, isFull);
  }
});
