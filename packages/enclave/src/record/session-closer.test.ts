/** A session whose close fails: late hosts are waited for, a record that is lost holds nobody up. */
import process from "node:process";
import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import type { RecordedSession } from "./recorded-session.ts";
import { callerOf, HostStore, recordRoom } from "../testing/record-room.ts";
import { labelOf } from "../testing/labels.ts";

const alice = callerOf("alice");
const late = { code: "AUDIT_STORE_UNAVAILABLE" } as const;
const lost = { code: "AUDIT_STORE_MISMATCH" } as const;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function startedRoom() {
  const store = new HostStore();
  const room = recordRoom(store);
  const recorded = await room.sessions.openOrJoin(alice, null);
  await room.recorder.ensureStarted(recorded);
  return { store, room, recorded };
}

/** Writes an entry that the store never gets, as one that is larger than a record may be. */
async function loseEntry(room: ReturnType<typeof recordRoom>, recorded: RecordedSession): Promise<void> {
  const append = room.journal.append.bind(room.journal);
  room.journal.append = () => Promise.reject(new Error("a journal record is larger than it may be"));
  await assert.rejects(room.recorder.note(recorded, { entry_type: "fault" }).stored);
  room.journal.append = append;
}

test("while the host is late no next session opens, each close is another attempt, and the session ends once", async () => {
  const { room, recorded } = await startedRoom();
  room.journal.behind = true;
  const closing = room.closing.close(recorded);
  assert.equal(room.closing.close(recorded), closing, "closing twice is closing once");
  const waiting = room.sessions.openOrJoin(alice, null);
  await Promise.all([closing, waiting].map((failing) => assert.rejects(failing, late)));
  await assert.rejects(room.sessions.openOrJoin(alice, null), late, "who comes afterwards is told why, too");
  assert.deepEqual(room.sessions.takeDue(), [recorded]);
  assert.deepEqual(room.sessions.takeDue(), []);
  for (let attempt = 0; attempt < 9; attempt += 1) await assert.rejects(room.closing.close(recorded), late);
  assert.equal(recorded.chain.length, 2, "and the session ends once");
  assert.deepEqual(room.sessions.takeDue(), [recorded], "it is due for as long as it takes");
  room.journal.behind = false;
  const claim = await room.closing.close(recorded);
  assert.equal(claim.gateway.audit_chain.length, 2);
  assert.equal(recorded.lifecycle.phase, "claimed");
  assert.deepEqual(room.forgotten, [recorded.session.id]);
  assert.notEqual(await room.sessions.openOrJoin(alice, null), recorded);
});

test("a platform without a report is waited for, like a late host", async () => {
  const { room, recorded } = await startedRoom();
  room.platform.broken = true;
  for (let attempt = 0; attempt < 9; attempt += 1)
    await assert.rejects(room.closing.close(recorded), { code: "ATTESTATION_REPORT_UNAVAILABLE" });
  room.platform.broken = false;
  await room.closing.close(recorded);
  assert.equal(recorded.lifecycle.phase, "claimed");
});

test("a lost entry ends its session as faulted, and its principal can open a new one at the same label", async () => {
  const { room, recorded } = await startedRoom();
  recorded.session.raise(labelOf("hipaa_phi"));
  await loseEntry(room, recorded);
  const closing = room.closing.close(recorded);
  const waiting = room.sessions.openOrJoin(alice, null);
  await assert.rejects(closing, lost);
  const next = await waiting;
  assert.notEqual(next, recorded, "who waited goes on");
  assert.equal(next.session.sensitivity, "hipaa_phi");
  await room.recorder.ensureStarted(next);
  assert.equal(await room.sessions.openOrJoin(alice, null), next);
  for (let attempt = 2; attempt <= 3; attempt += 1) {
    assert.deepEqual(room.sessions.takeDue(), [recorded], "what may pass is tried again");
    await assert.rejects(room.closing.close(recorded), lost);
  }
  assert.deepEqual(room.sessions.takeDue(), []);
  assert.equal(recorded.lifecycle.phase, "faulted");
  assert.ok(room.sessions.isFaulted(alice, recorded.session.id));
  assert.ok(!room.sessions.isFaulted(callerOf("bob"), recorded.session.id));
  assert.deepEqual(room.forgotten, [recorded.session.id]);
  await assert.rejects(room.closing.close(recorded), lost, "it stays so");
  await room.closing.close(next);
  assert.equal(await room.closing.closeAll(), 1, "a session without a claim is counted when the gateway stops");
});

test("an entry that cannot be stored schedules the close of its session at once", async () => {
  const { room, recorded } = await startedRoom();
  await loseEntry(room, recorded);
  assert.deepEqual(room.sessions.takeDue(), [recorded]);
  await assert.rejects(room.claims.claimOpen(recorded), lost, "and nothing is claimed of it");
});

test("claims and closes read nothing back, whatever the store does with the entries", async () => {
  const { store, room, recorded } = await startedRoom();
  room.journal.scan = () => assert.fail("the store was read");
  room.platform.broken = true;
  await assert.rejects(room.claims.claimOpen(recorded), { code: "ATTESTATION_REPORT_UNAVAILABLE" });
  room.platform.broken = false;
  store.records = [];
  assert.equal((await room.claims.claimOpen(recorded)).gateway.audit_chain.length, 1);
  assert.deepEqual(room.sessions.takeDue(), []);
  assert.equal((await room.closing.close(recorded)).gateway.audit_chain.length, 2);
});

test("an unused session is discarded and takes no call", async () => {
  const room = recordRoom(new HostStore(), { maxPerPrincipal: 1 });
  const held = await room.sessions.open(alice);
  await room.sessions.open(alice);
  assert.equal(held.lifecycle.phase, "discarded");
  await assert.rejects(
    held.run(new AbortController().signal, () => Promise.resolve()),
    { code: "SESSION_CLOSED" },
  );
  await assert.rejects(room.recorder.ensureStarted(held), { code: "SESSION_CLOSED" });
  await assert.rejects(room.closing.close(held), { code: "SESSION_CLOSED" });
  assert.equal(held.chain.length, 0);
  assert.deepEqual(room.sessions.takeDue(), [], "and is never due");
});

test("a failed close is tried again at the next sweep, unless the host is late", async (t) => {
  t.mock.method(process.stderr, "write", () => true);
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { room, recorded } = await startedRoom();
  room.journal.behind = true;
  await assert.rejects(room.closing.close(recorded), late);
  const failed = recorded.close;
  room.closing.startSweeping();
  t.mock.timers.tick(10_000);
  await turn();
  assert.equal(recorded.close, failed, "no attempt while the store is behind");
  room.journal.behind = false;
  t.mock.timers.tick(1_000);
  for (let waited = 0; waited < 20 && recorded.lifecycle.phase !== "claimed"; waited += 1) await turn();
  assert.equal(recorded.lifecycle.phase, "claimed");
});

test("closes of one principal that come at one time end two at a time, and another's is not behind them", async () => {
  const room = recordRoom(new HostStore(), { max: 200, maxPerPrincipal: 100 });
  const opened = async (caller: typeof alice, label: string): Promise<RecordedSession> => {
    const recorded = await room.sessions.openOrJoin(caller, label);
    await room.recorder.ensureStarted(recorded);
    return recorded;
  };
  const storm = await Promise.all(Array.from({ length: 64 }, (_, index) => opened(alice, `${index}`)));
  const other = await opened(callerOf("bob"), "other");
  const append = room.journal.append.bind(room.journal);
  let [ending, most] = [0, 0];
  room.journal.append = async (session, statement, decided) => {
    ending += statement.kind === "entry" ? 1 : -1;
    most = Math.max(most, ending);
    await turn();
    return await append(session, statement, decided);
  };
  const closes = storm.map((recorded) => room.closing.close(recorded));
  assert.ok(
    storm.every(({ lifecycle }) => !lifecycle.takesCalls),
    "a close that waits for its turn takes no call",
  );
  await room.closing.close(other);
  const claimed = storm.filter(({ lifecycle }) => lifecycle.phase === "claimed").length;
  assert.ok(claimed < 8, `${claimed} of the storm ended before the other's close`);
  await Promise.all(closes);
  assert.equal(most, 3, "two of the storm's, and the other's");
});

test("a stop closes every session in order, a few at one time, tries again what failed, and says how many are left", async () => {
  const room = recordRoom(new HostStore(), { max: 200, maxPerPrincipal: 200 });
  const opened: string[] = [];
  for (let index = 0; index < 100; index += 1) {
    const recorded = await room.sessions.openOrJoin(alice, `${index}`);
    await room.recorder.ensureStarted(recorded);
    opened.push(recorded.session.id);
  }
  await room.sessions.openOrJoin(alice, "unused");
  const append = room.journal.append.bind(room.journal);
  let [closing, most] = [0, 0];
  const failed = new Set<string>();
  room.journal.append = async (session, statement, receipt) => {
    if (statement.kind === "entry") {
      closing += 1;
      most = Math.max(most, closing);
    } else {
      closing -= 1;
      if (failed.size < 30 && !failed.has(session)) {
        failed.add(session);
        throw new CmcpError("AUDIT_STORE_UNAVAILABLE", "not now");
      }
    }
    return await append(session, statement, receipt);
  };
  const left: number[] = [];
  assert.equal(await room.closing.closeAll((open) => void left.push(open)), 0);
  assert.deepEqual(room.forgotten.toSorted(), opened.toSorted());
  assert.deepEqual(room.forgotten.slice(0, 70), opened.slice(30), "the oldest first, but for those that failed");
  assert.ok(most <= 16, `${most} at one time`);
  assert.deepEqual(left, [...countdown(100, 30), ...countdown(30, 0)]);
});

/** The numbers from one down to another. */
function countdown(from: number, to: number): number[] {
  return Array.from({ length: from - to + 1 }, (_, index) => from - index);
}

test("a stop gives a late host time, and then says how many sessions have no claim", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const room = recordRoom(new HostStore(), { max: 100, maxPerPrincipal: 100 });
  for (let index = 0; index < 40; index += 1)
    await room.recorder.ensureStarted(await room.sessions.openOrJoin(alice, `${index}`));
  room.journal.behind = true;
  let attempts = 0;
  const append = room.journal.append.bind(room.journal);
  room.journal.append = async (...args) => {
    attempts += 1;
    return await append(...args);
  };
  const stopped = room.closing.closeAll();
  for (let waited = 0; waited < 120; waited += 1) {
    await turn();
    t.mock.timers.tick(100);
  }
  assert.equal(await stopped, 40);
  assert.equal(attempts, 0, "nothing is asked of a host that is late already");
  room.journal.behind = false;
  assert.equal(await room.closing.closeAll(), 0);
});

test("idle sessions are closed a few at one time, and the next sweep waits for them", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const room = recordRoom(new HostStore(), { max: 100, maxPerPrincipal: 100 });
  for (let index = 0; index < 50; index += 1) {
    const recorded = await room.sessions.openOrJoin(alice, `${index}`);
    await room.recorder.ensureStarted(recorded);
    room.sessions.scheduleClose(recorded);
  }
  const append = room.journal.append.bind(room.journal);
  const held = Promise.withResolvers<void>();
  let closing = 0;
  room.journal.append = async (session, statement, receipt) => {
    if (statement.kind === "entry") closing += 1;
    await held.promise;
    return await append(session, statement, receipt);
  };
  room.closing.startSweeping();
  for (let sweep = 0; sweep < 3; sweep += 1) {
    t.mock.timers.tick(1_000);
    await turn();
  }
  assert.equal(closing, 2, "of one principal");
  held.resolve();
  while (room.sessions.openCount > 0) await turn();
  assert.equal(closing, 50);
});
