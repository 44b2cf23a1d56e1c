/** A start over a log that the host changed: nothing that was hidden, moved or forged lowers what a principal has seen. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { auditorOf, type HandOver } from "@cmcp/audit";
import { randomBytes, X_WING_SUITE } from "@cmcp/seal";
import { LOWEST_LABEL } from "@cmcp/session";
import { signedLostStore } from "../../../audit/src/testing/lost-store.ts";
import { callerOf, HostStore, ORIGIN, recordRoom, type StoredRecord } from "../testing/record-room.ts";
import { readLog } from "./read-log.ts";
import { began, believed, KNOWN, labelsIn, logOf, ranBefore, UNKNOWN, type Room } from "../testing/past-log.ts";

test("an unchanged log gives each principal its own label, with and without a snapshot", async () => {
  for (const snapshot of [false, true]) {
    const store = await logOf({ snapshot });
    const start = await began(store);
    assert.deepEqual([start.past.history, await labelsIn(start)], [{ state: "complete" }, KNOWN], String(snapshot));
  }
  const empty = await began(new HostStore());
  assert.deepEqual(
    [empty.past.history, empty.past.predecessor],
    [{ state: "complete" }, null],
    "no past is a whole one",
  );
});

test("an empty log whose epoch follows a lost store puts every principal at the highest label, and the next start too", async () => {
  const store = new HostStore();
  const first = await began(store, believed, signedLostStore());
  assert.deepEqual(
    [first.past.history, first.past.predecessor, await labelsIn(first)],
    [{ state: "incomplete", reason: "lost-store" }, null, UNKNOWN],
  );
  assert.equal(first.past.state.unknown?.unblocked.size, 0, "the kill switch stops everybody");
  const later = await began(store, believed, signedLostStore());
  assert.deepEqual([later.past.history, await labelsIn(later)], [{ state: "complete" }, UNKNOWN]);
});

test("a log without any one of its records puts every principal at the highest label, those never seen included", async () => {
  for (const snapshot of [false, true]) {
    const whole = await logOf({ snapshot });
    const from = snapshot ? whole.records.findIndex(({ kind }) => kind === "snapshot-part") : 0;
    assert.ok(from >= 0);
    for (let left = from; left < whole.records.length; left += 1) {
      const shown = await logOf({ snapshot });
      shown.records = shown.records.filter(({ index }) => index !== left);
      // Without the snapshot's own record the log is read from its beginning, where the gap is seen.
      const start = await began(shown);
      assert.deepEqual(
        [start.past.history.state, await labelsIn(start)],
        ["incomplete", UNKNOWN],
        `${snapshot} without ${left}`,
      );
    }
  }
});

test("records before a snapshot are not read", async () => {
  const store = await logOf({ snapshot: true });
  const first = store.records.findIndex(({ kind }) => kind === "snapshot-part");
  store.records = store.records.slice(first);
  const start = await began(store);
  assert.deepEqual([start.past.history, await labelsIn(start)], [{ state: "complete" }, KNOWN]);
});

const swapped = (held: StoredRecord, other: StoredRecord): StoredRecord => ({ ...other, index: held.index });
const withBody = (held: StoredRecord, body: string): StoredRecord => ({ ...held, body: Buffer.from(body) });

test("a session's key without its body is no gap; one with another body is, and so is an entry without its own", async () => {
  const auditors = [auditorOf(X_WING_SUITE.kem.keyOf(randomBytes(32)).publicKey)];
  const historyWith = async (kind: StoredRecord["kind"], body: string): Promise<string> => {
    const store = new HostStore();
    await ranBefore(store, {}, { auditors });
    assert.ok(store.records.some((held) => held.kind === kind));
    store.records = store.records.map((held) => (held.kind === kind ? withBody(held, body) : held));
    return (await began(store)).past.history.state;
  };
  assert.equal(await historyWith("session-key", ""), "complete");
  assert.equal(await historyWith("session-key", "{}"), "incomplete");
  assert.equal(await historyWith("entry", ""), "incomplete");
});

test("a changed, repeated, moved or inserted record puts every principal at the highest label", async () => {
  const other = await logOf();
  const changes: Record<string, (records: StoredRecord[]) => StoredRecord[]> = {
    "another leaf": (records) =>
      records.map((held) => (held.index === 2 ? { ...held, leaf: Buffer.from("{}") } : held)),
    "a record twice": (records) => records.flatMap((held) => (held.index === 2 ? [held, held] : [held])),
    "two changed places": (records) => {
      const [, , two, three] = records;
      assert.ok(two !== undefined && three !== undefined);
      return records.map((held) => (held === two ? swapped(held, three) : held === three ? swapped(held, two) : held));
    },
    "another instance's": (records) =>
      records.map((held, at) => (at === 2 ? swapped(held, other.records[2] ?? held) : held)),
    "no body": (records) => records.map((held) => (held.index === 2 ? withBody(held, "") : held)),
    "another body": (records) => records.map((held) => (held.index === 2 ? withBody(held, "{}") : held)),
  };
  for (const [what, change] of Object.entries(changes)) {
    const store = await logOf();
    store.records = change(store.records);
    const start = await began(store);
    assert.deepEqual([start.past.history.state, await labelsIn(start)], ["incomplete", UNKNOWN], what);
  }
});

test("the reason of an incomplete history says what is wrong", async () => {
  const reasonOf = async (store: HostStore, believes = believed): Promise<unknown> =>
    (await began(store, believes)).past.history;
  const gap = await logOf();
  gap.records = gap.records.slice(1);
  assert.deepEqual(await reasonOf(gap), { state: "incomplete", reason: "no-snapshot" });
  const bodiless = await logOf();
  bodiless.records = bodiless.records.map((held) => (held.index === 2 ? withBody(held, "") : held));
  assert.deepEqual(await reasonOf(bodiless), { state: "incomplete", reason: "missing-body" });
  const stranger = (): Promise<boolean> => Promise.resolve(false);
  assert.deepEqual(await reasonOf(await logOf(), stranger), { state: "incomplete", reason: "unbelieved" });
});

test("every instance since the snapshot must be believed, and its author", async () => {
  const store = new HostStore();
  const first = await ranBefore(store);
  const second = await began(store);
  await second.room.journal.writeSnapshot();
  const third = await began(store);
  const stranger =
    (x: string) =>
    (handOver: HandOver): Promise<boolean> =>
      Promise.resolve(handOver.jwk.x !== x);
  const without = async ({ key }: Pick<Room, "key">): Promise<string> =>
    (
      await readLog({
        journal: recordRoom(store).journal,
        origin: ORIGIN,
        lostStore: null,
        believes: stranger(key.jwk.x),
      })
    ).history.state;
  assert.equal(await without(first), "complete", "the snapshot stands for what is before it");
  assert.equal(await without(second.room), "incomplete");
  assert.equal(await without(third.room), "incomplete");
});

test("a head that another key signed than the last hand-over's is not believed", async () => {
  const store = await logOf();
  const host = recordRoom(store);
  store.note = host.journal.signedHead().note;
  const { past } = await began(store);
  assert.deepEqual(past.history, { state: "incomplete", reason: "unbelieved" });
});

test("a host that appends a hand-over of its own cannot lower a label", async () => {
  const store = await logOf();
  const host = recordRoom(store);
  await host.begin();
  const forged = await host.sessions.openOrJoin(callerOf("alice"), null);
  await host.recorder.ensureStarted(forged);
  const detail = { principal: "alice" };
  await host.recorder.note(forged, { entry_type: "session_reset", session_sensitivity_after: LOWEST_LABEL, detail })
    .stored;
  const notTheHost = (handOver: HandOver): Promise<boolean> => Promise.resolve(handOver.jwk.x !== host.key.jwk.x);
  assert.deepEqual(await labelsIn(await began(store, notTheHost)), UNKNOWN);
});

test("the log of another origin, or one without the root that its newest note names, is not continued", async () => {
  const store = await logOf();
  const { journal } = recordRoom(store);
  await assert.rejects(readLog({ journal, origin: "log.example/1", lostStore: null, believes: believed }), {
    code: "AUDIT_STORE_MISMATCH",
    message: /log\.example\/0.*log\.example\/1/,
  });
  store.records = store.records.slice(1);
  store.leaves[0] = new Uint8Array(32);
  await assert.rejects(readLog({ journal, origin: ORIGIN, lostStore: null, believes: believed }), {
    code: "AUDIT_STORE_MISMATCH",
  });
  const malformed = await logOf();
  const again = recordRoom(malformed).journal;
  const { note } = malformed;
  for (const other of ["x\n1\n", note.replace("\n", "\n1"), note.slice(1), `${note} `]) {
    malformed.note = other;
    await assert.rejects(
      readLog({ journal: again, origin: ORIGIN, lostStore: null, believes: believed }),
      { code: "AUDIT_STORE_MISMATCH" },
      other,
    );
  }
});

test("a snapshot that is none, of another place, or not in the log is not used", async () => {
  const shown = async (change: (held: StoredRecord) => StoredRecord): Promise<string> => {
    const store = await logOf({ snapshot: true });
    store.records = store.records.map((held) => (held.kind === "snapshot" ? change(held) : held));
    const start = await began(store);
    assert.deepEqual(await labelsIn(start), UNKNOWN);
    return start.past.history.state;
  };
  const said = (held: StoredRecord, from: RegExp, to: string): StoredRecord =>
    withBody(held, Buffer.from(held.body).toString().replace(from, to));
  assert.equal(await shown((held) => withBody(held, "{}")), "incomplete");
  assert.equal(await shown((held) => said(held, /"at":\d+/, '"at":1')), "incomplete");
  assert.equal(await shown((held) => ({ ...held, leaf: Buffer.from("{}") })), "incomplete");
});
