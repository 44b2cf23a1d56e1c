import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import type { Claim } from "@cmcp/claim";
import { SessionTable, Vocabulary, type Session } from "@cmcp/session";
import { Caller } from "../access/caller.ts";
import { Clock } from "../instance/clock.ts";
import { HostStore, recordRoom } from "../testing/record-room.ts";
import type { RecordedSession } from "./recorded-session.ts";
import { Sessions } from "./sessions.ts";

const callerOf = (principalId: string): Caller => new Caller({ principalId, source: "bearer" }, null);

/** One open session for each principal, and one that made room and is not closed. */
function oneEach(): Sessions {
  const table = (evicted: (session: Session) => void) =>
    new SessionTable({
      vocabulary: new Vocabulary(),
      maxSessions: 10,
      maxPerPrincipal: 1,
      idleMs: 1e6,
      floorMs: 1e6,
      evicted,
    });
  return new Sessions(table, { max: 1, maxPerPrincipal: 1 }, new Clock());
}

test("a caller that evicts nothing does not wait; one that evicts a session waits for its own", {
  timeout: 20_000,
}, async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const sessions = oneEach();
  const [alice, bob] = [callerOf("alice"), callerOf("bob")];
  for (let opened = 0; opened < 2; opened += 1) {
    (await sessions.open(alice)).lifecycle.step("start");
  }
  assert.equal(sessions.evictedCount, 1);
  assert.equal(sessions.takeEvicted().length, 1);
  (await sessions.open(bob)).lifecycle.step("start");
  const refused = assert.rejects(sessions.open(alice), { code: "SESSION_LIMIT_REACHED" });
  t.mock.timers.tick(10_000);
  await refused;
});

const CLAIM = { trace: { tool_transcript: { entries: [] } } } as unknown as Claim;

test("of the requests that wait for the close of a labelled session, one opens the next and the others use it", {
  timeout: 20_000,
}, async () => {
  const sessions = oneEach();
  const alice = callerOf("alice");
  (await sessions.open(alice)).lifecycle.step("start");
  const labelled = await sessions.openOrJoin(alice, "work");
  labelled.lifecycle.step("start");
  labelled.chain.write({ entry_type: "session_start" });
  assert.equal(sessions.evictedCount, 1, "the label's session pushed the first out, and no other may be");
  assert.equal(await sessions.openOrJoin(alice, "work"), labelled);

  const { promise, resolve } = Promise.withResolvers<Claim>();
  labelled.lifecycle.step("close");
  labelled.close = { claim: promise, failures: 0, failed: false };
  const waiting = [sessions.openOrJoin(alice, "work"), sessions.openOrJoin(alice, "work")];
  const claim = CLAIM;
  sessions.recordClosed(labelled, claim);
  resolve(claim);
  const [first, second] = await Promise.all(waiting);
  assert.ok(first !== undefined && first !== labelled);
  assert.equal(second, first);
});

test("closed sessions are kept in memory while their transcripts are bounded together", async () => {
  const sessions = oneEach();
  const alice = callerOf("alice");
  const row = { tool_name: "t", data_class: "public", decision: "allow" };
  const close = async (calls: number): Promise<string> => {
    const recorded = await sessions.open(alice);
    recorded.chain.write({ entry_type: "session_start" });
    const claim = { trace: { tool_transcript: { entries: Array.from({ length: calls }, () => row) } } };
    sessions.recordClosed(recorded, claim as unknown as Claim);
    return recorded.session.id;
  };
  const [first, second, third] = [await close(400_000), await close(600_000), await close(1)];
  assert.deepEqual(
    [first, second, third].map((id) => sessions.closedById(alice, id) !== undefined),
    [false, true, true],
  );
});

test("a session that ends, with a claim or without one, gives the room of its flow table back", async () => {
  const sessions = oneEach();
  const end = [
    (session: RecordedSession) => sessions.recordClosed(session, CLAIM),
    (session: RecordedSession) => sessions.recordFaulted(session),
  ];
  // More sessions one after another than there is room for at one time.
  for (let opened = 0; opened < 140; opened += 1) {
    const recorded = await sessions.open(callerOf("alice"));
    recorded.chain.write({ entry_type: "session_start" });
    recorded.flows.add({ server: "clinic", tool: "read", labels: [] }, "a result", {});
    assert.ok(recorded.flows.match("a result").complete, `session ${opened}`);
    end[opened % 2]?.(recorded);
  }
});

test("where a caller has no manifest that counts no session opens, with a handle or without, and none is in the table", async () => {
  let refusing = true;
  const manifestOf = (): null => {
    if (refusing) throw new CmcpError("AGENT_MANIFEST_BINDING_FAILED", "no");
    return null;
  };
  const table = (evicted: (session: Session) => void) =>
    new SessionTable({
      vocabulary: new Vocabulary(),
      maxSessions: 10,
      maxPerPrincipal: 10,
      idleMs: 1e6,
      floorMs: 1e6,
      evicted,
    });
  const sessions = new Sessions(table, { max: 1, maxPerPrincipal: 1 }, new Clock(), { manifestOf });
  const alice = callerOf("alice");
  const opening = [
    () => sessions.open(alice),
    () => sessions.openOrJoin(alice, null),
    () => sessions.openOrJoin(alice, "a"),
  ];
  for (const open of opening) await assert.rejects(open, { code: "AGENT_MANIFEST_BINDING_FAILED" });
  assert.equal(sessions.openCount, 0);
  refusing = false;
  for (const open of opening) await open();
  assert.equal(sessions.openCount, 3);
});

test("the open sessions of a principal are its own, until they are closed", async () => {
  const room = recordRoom(new HostStore(), { max: 100, maxPerPrincipal: 50 });
  const [alice, bob] = [callerOf("alice"), callerOf("bob")];
  const own = [await room.sessions.openOrJoin(alice, "a"), await room.sessions.openOrJoin(alice, "b")];
  await room.sessions.openOrJoin(bob, "a");
  assert.deepEqual(room.sessions.openSessionsOf("alice"), own);
  for (const recorded of own) await room.closing.close(recorded);
  assert.deepEqual(room.sessions.openSessionsOf("alice"), []);
  assert.equal(room.sessions.openSessionsOf("bob").length, 1);
});
