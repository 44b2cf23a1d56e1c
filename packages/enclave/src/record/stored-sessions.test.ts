/** What a host shows of a session that is not in memory is in the log, or refused, and is answered one way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyHash, claimLeaf, handOverLeaf, type LogPlace } from "@cmcp/audit";
import { bytesEqual, canonicalBytes, fromBase64Url } from "@cmcp/boundary";
import { claimHash } from "@cmcp/claim";
import { leafHash, parseCheckpoint, parseNote, rootFromPath, sha256 } from "@cmcp/log";
import { callerOf, HostStore, ofSession, recordRoom, type StoredRecord } from "../testing/record-room.ts";
import { StoredSessions } from "./stored-sessions.ts";

const alice = callerOf("alice");
const contradiction = { code: "AUDIT_STORE_MISMATCH" } as const;

type Room = ReturnType<typeof recordRoom>;

const storedIn = ({ journal, instance, key }: Pick<Room, "journal" | "instance" | "key">, from = 0): StoredSessions =>
  new StoredSessions({ journal, instance, jwk: key.jwk, believedFrom: () => from });

/** A closed session of alice's in an earlier instance, which made a claim before its end, and a reader of the next instance. */
async function closedBefore() {
  const store = new HostStore();
  const earlier = recordRoom(store);
  await earlier.begin();
  const recorded = await earlier.sessions.openOrJoin(alice, null);
  await earlier.recorder.ensureStarted(recorded);
  const early = await earlier.claims.claimOpen(recorded);
  const last = await earlier.closing.close(recorded);
  const next = recordRoom(store);
  await next.begin();
  const id = recorded.session.id;
  return { store, id, early, last, earlier, reader: () => storedIn(next) };
}

/** A session of alice's with one call, which a crash interrupted. */
async function interruptedBefore() {
  const store = new HostStore();
  const earlier = recordRoom(store);
  await earlier.begin();
  const recorded = await earlier.sessions.openOrJoin(alice, null);
  await earlier.recorder.ensureStarted(recorded);
  const { policy } = earlier.facts;
  const receipt = await earlier.recorder.decision(recorded, {
    entry_type: "tool_call",
    call_id: "call-1",
    policy_decision: "allow",
    detail: { policy_hash: policy.hash },
  });
  await earlier.recorder.note(recorded, { entry_type: "fault" }).stored;
  const next = recordRoom(store);
  await next.begin();
  return { store, id: recorded.session.id, receipt, next, earlier };
}

/** Whether a leaf is in the log at a place. */
async function isLeaf(leaf: Uint8Array, { index, path, note }: LogPlace): Promise<boolean> {
  const { size, root } = parseCheckpoint(parseNote(note).text);
  const hashes = path.map((hash) => fromBase64Url(hash) ?? new Uint8Array());
  const led = await rootFromPath(leafHash(leaf), { index, size, path: hashes }, sha256);
  return led !== undefined && bytesEqual(led, root);
}

const without = (records: readonly StoredRecord[], hidden: readonly StoredRecord[]): StoredRecord[] =>
  records.filter((held) => !hidden.includes(held));

test("the last claim of a closed session has its place in the log, under a note of whoever answers", async () => {
  const { id, early, last, earlier, store, reader } = await closedBefore();
  const held = store.records.findLast(({ kind }) => kind === "claim") ?? assert.fail();
  const { signing_key: other, ...place } = (await reader().claimPlace(id, last)) ?? assert.fail();
  assert.notEqual(other, undefined);
  assert.notEqual(other?.x, last.trace.cnf.jwk.x);
  const own = (await storedIn(earlier).claimPlace(id, last)) ?? assert.fail();
  assert.equal(own.signing_key, undefined);
  for (const { index, path, note, ...rest } of [place, own]) {
    assert.equal(index, held.index);
    const leaf = claimLeaf({ instance: earlier.instance, ...rest });
    assert.deepEqual(Buffer.from(leaf), Buffer.from(held.leaf));
    assert.equal(rest.claim_hash, claimHash(last));
    assert.ok(await isLeaf(leaf, { index, path, note }));
  }
  assert.equal(await storedIn(earlier, held.index + 1).claimPlace(id, last), null, "from before the log was believed");
  await assert.rejects(reader().claimPlace(id, early), contradiction);
  const another = recordRoom(store);
  await another.begin();
  const beside = await another.sessions.openOrJoin(alice, null);
  await another.recorder.ensureStarted(beside);
  await another.claims.claimOpen(beside);
  const itsLast = await another.closing.close(beside);
  assert.equal(itsLast.gateway.sequence_number, last.gateway.sequence_number);
  const shown = store.records.findLast(({ kind }) => kind === "claim") ?? assert.fail();
  const all = store.records;
  store.records = [...without(all, [shown]), { ...shown, session: id }];
  await assert.rejects(storedIn(another).claimPlace(id, last), contradiction, "the claim of another instance");
  store.records = without(all, [held]);
  await assert.rejects(storedIn(another).claimPlace(id, last), contradiction, "an earlier claim in its place");
  store.records = without(store.records, ofSession(store, id, "claim"));
  await assert.rejects(storedIn(another).claimPlace(id, last), contradiction, "no claim");
});

test("a closed session has its last claim, and another principal's is not found", async () => {
  const { id, last, reader, earlier } = await closedBefore();
  for (const stored of [reader(), storedIn(earlier)]) {
    const found = await stored.read(alice, id);
    assert.deepEqual(found?.closed?.claim, last);
    assert.deepEqual([found?.root.entry_type, found?.point.length, found?.receipts], ["session_start", 2, []]);
    assert.equal(await stored.read(callerOf("bob"), id), null);
    assert.equal(await stored.read(alice, "11111111-1111-4111-8111-111111111111"), null);
  }
});

test("an interrupted session has its entries and the receipt of its last call, under a note of the instance that answers", async () => {
  const { id, receipt, next, earlier } = await interruptedBefore();
  const found = await storedIn(next).read(alice, id);
  assert.deepEqual([found?.closed, found?.point.length], [null, 3]);
  const [shown, ...others] = found?.receipts ?? [];
  const { log: before, ...said } = receipt;
  const { log, ...saidLater } = shown ?? receipt;
  assert.deepEqual([others, saidLater, log.index], [[], said, before.index]);
  assert.match(log.note, new RegExp(`cmcp-instance-${next.instance} `));
  const { body, log: begun } = found?.handOver ?? assert.fail("no hand-over");
  assert.deepEqual([body.jwk, begun.index], [earlier.key.jwk, 0]);
  assert.match(begun.note, new RegExp(`cmcp-instance-${next.instance} `));
  assert.equal(await isLeaf(handOverLeaf(earlier.instance, bodyHash(canonicalBytes(body))), begun), true);
  assert.equal(await storedIn(earlier).read(alice, id), null, "its own instance has it in memory");
});

test("of another principal's interrupted session nothing is read but its first entry", async () => {
  const { id, next } = await interruptedBefore();
  let read = 0;
  const { journal } = next;
  const counting: typeof journal = Object.assign(Object.create(journal) as typeof journal, {
    async *scan(filter: Parameters<typeof journal.scan>[0]) {
      for await (const shown of journal.scan(filter)) {
        read += 1;
        yield shown;
      }
    },
  });
  assert.equal(await storedIn({ ...next, journal: counting }).read(callerOf("bob"), id), null);
  assert.equal(read, 2, "to find the first session of its chain, and as that one's root");
});

test("an interrupted session whose instance's hand-over the host hides, moves or replaces is refused", async () => {
  const changes: Record<string, (held: StoredRecord, other: StoredRecord) => StoredRecord[]> = {
    hidden: () => [],
    "at another place": (held) => [{ ...held, index: held.index + 1 }],
    "with another body": (held) => [{ ...held, body: Buffer.from("{}") }],
    "another instance's": ({ session }, other) => [{ ...other, session }],
  };
  for (const [what, change] of Object.entries(changes)) {
    const { id, store, next, earlier } = await interruptedBefore();
    const [held] = ofSession(store, earlier.instance, "hand-over");
    const [other] = ofSession(store, next.instance, "hand-over");
    assert.ok(held !== undefined && other !== undefined);
    store.records = [...without(store.records, [held]), ...change(held, other)];
    await assert.rejects(storedIn(next).read(alice, id), contradiction, what);
  }
  const { id, store, next, earlier } = await interruptedBefore();
  const [entry] = ofSession(store, id, "entry");
  const held = ofSession(store, earlier.instance, "hand-over");
  assert.ok(entry !== undefined);
  store.records = [...without(store.records, held), { ...entry, session: earlier.instance, kind: "hand-over" }];
  await assert.rejects(storedIn(next).read(alice, id), contradiction, "an entry");
});

test("a session from before the log was believed is not found", async () => {
  const { id, store, next } = await interruptedBefore();
  assert.equal(await storedIn(next, store.records.length).read(alice, id), null);
  const closed = await closedBefore();
  assert.equal(await storedIn(recordRoom(closed.store), closed.store.records.length).read(alice, closed.id), null);
});

test("a claim whose root entry the store does not show is a contradiction", async () => {
  const { id, store, reader } = await closedBefore();
  store.records = without(store.records, ofSession(store, id, "entry").slice(0, 1));
  await assert.rejects(reader().read(alice, id), contradiction);
});

test("a record that is not in the log at its place is a contradiction", async () => {
  const changes: Record<string, (held: StoredRecord) => StoredRecord> = {
    "another place": (held) => ({ ...held, index: held.index - 1 }),
    "a place beyond the log": (held) => ({ ...held, index: 10_000 }),
    "another leaf": (held) => ({
      ...held,
      leaf: Buffer.from(Buffer.from(held.leaf).toString().replace('"seq":', '"seq":9')),
    }),
    "another body": (held) => ({ ...held, body: Buffer.from("{}") }),
  };
  for (const [what, change] of Object.entries(changes)) {
    const { id, store, reader } = await closedBefore();
    const last = ofSession(store, id, "claim").at(-1);
    store.records = store.records.map((held) => (held === last ? change(held) : held));
    await assert.rejects(reader().read(alice, id), contradiction, what);
  }
});

test("an interrupted chain that has a gap, or ends in an entry that is not in the log, is refused", async () => {
  for (const hidden of [0, 1]) {
    const { id, store, next } = await interruptedBefore();
    store.records = without(store.records, ofSession(store, id, "entry").slice(hidden, hidden + 1));
    await assert.rejects(storedIn(next).read(alice, id), contradiction, String(hidden));
  }
  const { id, store, next } = await interruptedBefore();
  const [, , last] = ofSession(store, id, "entry");
  store.records = store.records.map((held) => (held === last ? { ...held, index: held.index - 1 } : held));
  await assert.rejects(storedIn(next).read(alice, id), contradiction);
});

test("a host that shows another record for a claim is refused", async () => {
  const one = await closedBefore();
  const other = await one.earlier.sessions.openOrJoin(alice, "other");
  await one.earlier.recorder.ensureStarted(other);
  await one.earlier.closing.close(other);
  const [claim] = ofSession(one.store, other.session.id, "claim");
  assert.ok(claim !== undefined);
  one.store.records = [...one.store.records, { ...claim, session: one.id }];
  await assert.rejects(one.reader().read(alice, one.id), contradiction);
});

test("a host that shows two states of a session is refused at the second, in either order", async () => {
  for (const first of ["closed", "interrupted"] as const) {
    const { id, store, reader } = await closedBefore();
    const all = store.records;
    const cut = without(all, ofSession(store, id, "claim"));
    const stored = reader();
    store.records = first === "closed" ? all : cut;
    const told = await stored.read(alice, id);
    assert.equal(told?.closed === null, first === "interrupted");
    store.records = first === "closed" ? cut : all;
    await assert.rejects(stored.read(alice, id), contradiction);
    store.records = without(all, [...ofSession(store, id, "entry"), ...ofSession(store, id, "claim")]);
    await assert.rejects(stored.read(alice, id), contradiction, "nor is it gone");
    store.records = first === "closed" ? all : cut;
    assert.deepEqual(await stored.read(alice, id), told, "what it said first stands");
  }
});

test("a claim over the open session is not the claim of a closed one, even if no entry follows", async () => {
  const store = new HostStore();
  const earlier = recordRoom(store);
  await earlier.begin();
  const recorded = await earlier.sessions.openOrJoin(alice, null);
  await earlier.recorder.ensureStarted(recorded);
  await earlier.claims.claimOpen(recorded);
  const next = recordRoom(store);
  await next.begin();
  const found = await storedIn(next).read(alice, recorded.session.id);
  assert.deepEqual([found?.point.length, found?.closed], [1, null]);
});

test("a session that was never returned may be absent", async () => {
  const { id, store, reader } = await closedBefore();
  store.records = without(store.records, [...ofSession(store, id, "entry"), ...ofSession(store, id, "claim")]);
  assert.equal(await reader().read(alice, id), null);
});
