/** What a host shows of an earlier instance's session is answered one way, or refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { callerOf, HostStore, ofSession, recordRoom, type StoredRecord } from "../testing/record-room.ts";
import { EarlierSessions } from "./earlier-sessions.ts";

const alice = callerOf("alice");
const contradiction = { code: "AUDIT_STORE_MISMATCH" } as const;

/** A closed session of alice's in an earlier instance, which made a claim before its end, and a reader of the next instance. */
async function closedBefore() {
  const store = new HostStore();
  const earlier = recordRoom(store);
  await earlier.begin();
  const recorded = await earlier.sessions.openOrJoin(alice, null);
  await earlier.recorder.ensureStarted(recorded);
  const early = await earlier.claims.claimOpen(recorded);
  const last = await earlier.closing.close(recorded);
  const { journal, instance } = recordRoom(store);
  const id = recorded.session.id;
  return { store, id, early, last, reader: () => new EarlierSessions({ journal, instance }) };
}

const without = (records: readonly StoredRecord[], hidden: readonly StoredRecord[]): StoredRecord[] =>
  records.filter((held) => !hidden.includes(held));

test("a closed session has its last claim, an interrupted one has none, and another principal's is not found", async () => {
  const { id, last, store, reader } = await closedBefore();
  const found = await reader().read(alice, id);
  assert.deepEqual(found?.closed?.claim, last);
  assert.equal(found?.entries.length, 2);
  assert.equal(await reader().read(callerOf("bob"), id), null);
  store.records = without(store.records, [...ofSession(store, id, "claim"), ...ofSession(store, id, "entry").slice(1)]);
  const interrupted = await reader().read(alice, id);
  assert.deepEqual([interrupted?.closed, interrupted?.entries.length], [null, 1]);
});

test("a claim over more entries than the store shows is a contradiction, not an open prefix", async () => {
  const { id, store, reader } = await closedBefore();
  store.records = without(store.records, ofSession(store, id, "entry").slice(1));
  await assert.rejects(reader().read(alice, id), contradiction);
});

test("a record that does not verify is a contradiction", async () => {
  const { id, store, reader } = await closedBefore();
  const [, end] = ofSession(store, id, "entry");
  assert.ok(end !== undefined);
  const bytes = new TextEncoder().encode(Buffer.from(end.bytes).toString().replace('"seq":', '"seq":9'));
  store.records = [...without(store.records, [end, ...ofSession(store, id, "claim")]), { ...end, bytes }];
  await assert.rejects(reader().read(alice, id), contradiction);
});

test("a host that shows two states of a session is refused at the second, in either order", async () => {
  for (const first of ["closed", "interrupted"] as const) {
    const { id, store, reader } = await closedBefore();
    const all = store.records;
    const cut = without(all, ofSession(store, id, "claim").slice(-1));
    const earlier = reader();
    store.records = first === "closed" ? all : cut;
    const told = await earlier.read(alice, id);
    assert.equal(told?.closed === null, first === "interrupted");
    store.records = first === "closed" ? cut : all;
    await assert.rejects(earlier.read(alice, id), contradiction);
    store.records = without(all, ofSession(store, id, "entry"));
    await assert.rejects(earlier.read(alice, id), contradiction, "nor is it gone");
    store.records = first === "closed" ? all : cut;
    assert.deepEqual(await earlier.read(alice, id), told, "what it said first stands");
  }
});

test("a claim over the open session is not the claim of a closed one, even if no entry follows", async () => {
  const store = new HostStore();
  const earlier = recordRoom(store);
  await earlier.begin();
  const recorded = await earlier.sessions.openOrJoin(alice, null);
  await earlier.recorder.ensureStarted(recorded);
  await earlier.claims.claimOpen(recorded);
  const { journal, instance } = recordRoom(store);
  const found = await new EarlierSessions({ journal, instance }).read(alice, recorded.session.id);
  assert.deepEqual([found?.entries.length, found?.closed], [1, null]);
});

test("a session that was never returned may be absent", async () => {
  const { id, store, reader } = await closedBefore();
  store.records = without(store.records, ofSession(store, id, "entry"));
  assert.equal(await reader().read(alice, id), null);
});
