/** The set that the log has as ciphertext, over a real record, its restarts, and a host that shows it otherwise. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeRecord, readRecord, type ProvisionFacts } from "@cmcp/audit";
import { toBase64Url, untrusted } from "@cmcp/boundary";
import type { Provision, StatementMessage, StorageKey } from "@cmcp/provision";
import { HostStore, ORIGIN, recordRoom, type StoredRecord } from "../testing/record-room.ts";
import { provisionDetail } from "./provision-detail.ts";
import { Provisions, tokenCommitment } from "./provisions.ts";
import { readLog } from "./read-log.ts";
import { openNewestSet, provisionHash, type StoredSetPorts } from "./stored-sets.ts";

const KEY = toBase64Url(new Uint8Array(32).fill(1));
const NO_HASH = `sha256:${"0".repeat(64)}`;
const SET: Provision = {
  v: 1,
  tokens: [{ principal: "alice", sha256: "ab".repeat(32) }],
  credentials: [{ name: "ledger", value: "a-secret-of-the-ledger" }],
};
const LATER: Provision = { v: 1, tokens: [{ principal: "bob", sha256: "cd".repeat(32) }] };
const believed = (): Promise<boolean> => Promise.resolve(true);

/** An instance over a log, and what it puts in force. */
async function start(store = new HostStore()) {
  const room = recordRoom(store);
  const past = await readLog({ journal: room.journal, origin: ORIGIN, lostStore: null, believes: believed });
  room.journal.state = past.state;
  await room.begin({ history: past.history, predecessor: past.predecessor });
  const { journal, instance, sessions, recorder } = room;
  const ports: StoredSetPorts = {
    journal,
    origin: ORIGIN,
    believedFrom: () => past.state.believedFrom,
    storedSet: () => past.state.storedSet,
  };
  const provisions = new Provisions({
    ...ports,
    journal,
    instance,
    sequence: past.state.provision,
    statementSequence: past.state.provisionStatement,
    commit: (sha256) => tokenCommitment(ORIGIN, sha256),
    sessions,
    recorder,
  });
  const inForce: Provision[] = [];
  const nothing = (): undefined => undefined;
  const take = async (message: StatementMessage) =>
    await provisions.take(message, { check: nothing, bind: nothing, apply: (set) => void inForce.push(set) });
  return { room, store, ports, take, inForce, past };
}

const provisionsIn = (store: HostStore): readonly StoredRecord[] =>
  store.records.filter(({ kind }) => kind === "provision");
function factsIn({ leaf, body }: StoredRecord): ProvisionFacts {
  const record = readRecord(untrusted(leaf), untrusted(body));
  return record?.kind === "provision" ? record.body : assert.fail("no provision record");
}

/** The key alone, for the set of the log's last provisioning. */
function onlyKey(store: HostStore, storage_key = KEY): StorageKey {
  const last = provisionsIn(store).at(-1);
  return { v: 1, storage_key, provision_hash: last === undefined ? NO_HASH : provisionHash(factsIn(last)) };
}

test("a set with a storage key is in the log as ciphertext, and the key alone brings it back after a restart, stored anew", async () => {
  const first = await start();
  const given = await first.take({ ...SET, storage_key: KEY });
  assert.deepEqual([given.isStored, given.restoredFrom], [true, null]);
  assert.deepEqual(first.inForce, [SET], "the key is no part of the set");
  const text = Buffer.concat(first.store.records.map(({ body }) => body)).toString();
  for (const secret of [KEY, "ab".repeat(32), "a-secret-of-the-ledger"]) assert.ok(!text.includes(secret), secret);
  for (const snapshot of [false, true]) {
    if (snapshot) await first.room.journal.writeSnapshot();
    const { store } = first;
    const kept = { records: [...store.records], range: store.range, note: store.note, leaves: store.leaves.length };
    const next = await start(store);
    const second = await next.take(onlyKey(store));
    assert.deepEqual([second.sequence, second.isStored, next.inForce], [2, true, [SET]]);
    assert.equal(second.restoredFrom, given.hash);
    assert.equal(provisionDetail(second)["restored_from"], given.hash);
    const [before, after] = provisionsIn(store).map(factsIn);
    assert.deepEqual([after?.principals, after?.credentials], [before?.principals, before?.credentials]);
    assert.notEqual(after?.stored?.nonce, before?.stored?.nonce);
    assert.notEqual(after?.stored?.ciphertext, before?.stored?.ciphertext);
    const third = await start(store);
    const again = await third.take({ ...onlyKey(store), provision_hash: given.hash });
    assert.deepEqual(
      [again.sequence, again.restoredFrom],
      [3, given.hash],
      "the one that gave it, and not the one before",
    );
    assert.deepEqual(
      provisionsIn(store).map((record) => factsIn(record).restored_from),
      [undefined, given.hash, given.hash],
    );
    assert.deepEqual(third.inForce, [SET]);
    Object.assign(store, { records: kept.records, range: kept.range, note: kept.note });
    store.leaves.length = kept.leaves;
  }
});

test("only the last provisioning counts: a later set with the key, and none where the later one has no key", async () => {
  const { store, take } = await start();
  await assert.rejects(take(onlyKey(store)), { code: "STORED_SET_MISSING" });
  await take({ ...SET, storage_key: KEY });
  await take({ ...LATER, storage_key: KEY });
  const next = await start(store);
  await next.take(onlyKey(store));
  assert.deepEqual(next.inForce, [LATER]);
  assert.equal((await next.take(LATER)).isStored, false);
  for (const instance of [next, await start(store)])
    await assert.rejects(instance.take(onlyKey(store)), { code: "STORED_SET_MISSING" });
});

test("a host that goes back to an older copy of the log does not bring the set of then back", async () => {
  const first = await start();
  const older = await first.take({ ...SET, storage_key: KEY });
  const { store } = first;
  const copy = { records: [...store.records], range: store.range, note: store.note };
  const leaves = store.leaves.length;
  const newer = await first.take({ ...LATER, storage_key: KEY });
  Object.assign(store, copy);
  store.leaves.length = leaves;
  const next = await start(store);
  const size = store.records.length;
  for (const provision_hash of [newer.hash, NO_HASH])
    await assert.rejects(next.take({ v: 1, storage_key: KEY, provision_hash }), { code: "STORED_SET_OTHER" });
  assert.deepEqual([next.inForce, store.records.length], [[], size], "and nothing changes");
  // Whoever names the older one means it.
  const back = await next.take({ v: 1, storage_key: KEY, provision_hash: older.hash });
  const third = await start(store);
  for (const provision_hash of [back.hash, older.hash]) await third.take({ v: 1, storage_key: KEY, provision_hash });
});

test("another key opens nothing, and what does not open changes nothing", async () => {
  const { store, take } = await start();
  await take({ ...SET, storage_key: KEY });
  const next = await start(store);
  const size = store.records.length;
  await assert.rejects(next.take(onlyKey(store, "A".repeat(43))), { code: "STORED_SET_NOT_OPENED" });
  assert.deepEqual([next.inForce, store.records.length], [[], size]);
  await next.take(onlyKey(store));
  assert.deepEqual(next.inForce, [SET]);
});

test("a ciphertext of another log or another record does not open, even where an enclave wrote it", async () => {
  const { store, room, take } = await start();
  await take({ ...SET, storage_key: KEY });
  const [first] = provisionsIn(store).map(factsIn);
  assert.ok(first !== undefined);
  await room.journal.append(room.instance, { kind: "provision", body: { ...first, sequence: 2 } });
  const next = await start(store);
  await assert.rejects(next.take(onlyKey(store)), { code: "STORED_SET_NOT_OPENED" });
  const other = (await withSet()).store;
  const { ports } = await start(other);
  await assert.rejects(openNewestSet({ ...ports, origin: "log.example/1" }, onlyKey(other)), {
    code: "STORED_SET_NOT_OPENED",
  });
});

async function withSet() {
  const instance = await start();
  await instance.take({ ...SET, storage_key: KEY });
  await instance.take({ ...LATER, storage_key: KEY });
  return instance;
}

test("a host that shows another record in its place, a changed one, or none, is found out", async () => {
  const { store } = await withSet();
  const next = await start(store);
  const [older, newest] = provisionsIn(store);
  assert.ok(older !== undefined && newest !== undefined);
  const message = onlyKey(store);
  const other = newest.body.map((byte) => (byte === 65 ? 66 : byte === 66 ? 65 : byte));
  const forged = encodeRecord({ kind: "provision", body: factsIn(older) }, { instance: newest.instance, seq: 0 });
  const show = (record: StoredRecord | null): void => {
    store.records = store.records.flatMap((kept) =>
      kept.index === newest.index ? (record === null ? [] : [record]) : [kept],
    );
  };
  const whole = store.records;
  for (const [what, record] of [
    ["none", null],
    ["the older one under its index", older],
    ["the older one in its place", { ...older, index: newest.index }],
    ["the older one's body", { ...newest, body: older.body }],
    ["a changed body", { ...newest, body: other }],
    ["a cut body", { ...newest, body: newest.body.subarray(0, -1) }],
    ["an erased body", { ...newest, body: new Uint8Array() }],
    ["a record of its own", { ...newest, ...forged }],
    ["another kind", { ...(whole[0] ?? assert.fail()), index: newest.index }],
  ] as const) {
    show(record);
    await assert.rejects(next.take(message), { code: "AUDIT_STORE_MISMATCH" }, what);
    store.records = whole;
  }
  assert.deepEqual(next.inForce, []);
  await next.take(message);
  assert.deepEqual(next.inForce, [LATER]);
});

test("an older record of the log, shown under its own index, is not taken for the newest", async () => {
  const { store } = await withSet();
  const next = await start(store);
  const [older] = store.scan({ kind: "provision" });
  next.room.journal.scan = async function* () {
    await Promise.resolve();
    if (older !== undefined) yield older;
  };
  await assert.rejects(next.take(onlyKey(store)), { code: "AUDIT_STORE_MISMATCH" });
});

test("nothing of a log that is not to be relied on is opened: not where the newest set was erased before the start", async () => {
  const { store } = await withSet();
  const message = onlyKey(store);
  const newest = provisionsIn(store)[1];
  store.records = store.records.map((record) => (record === newest ? { ...record, body: new Uint8Array() } : record));
  const next = await start(store);
  assert.equal(next.past.history.state, "incomplete");
  await assert.rejects(next.take(message), { code: "STORED_SET_MISSING" });
});

test("nothing is opened while the host owes records", async () => {
  const { room, store, ports } = await withSet();
  room.journal.behind = true;
  await assert.rejects(openNewestSet(ports, onlyKey(store)), { code: "AUDIT_STORE_UNAVAILABLE" });
});
