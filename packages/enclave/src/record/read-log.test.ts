/** A start over a log that the host changed: nothing that was hidden, moved or forged lowers what a principal has seen. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { killSwitchDetail, type HandOver } from "@cmcp/audit";
import { LOWEST_LABEL } from "@cmcp/session";
import { callerOf, HostStore, ORIGIN, recordRoom, type StoredRecord } from "../testing/record-room.ts";
import { labelOf } from "../testing/labels.ts";
import { readLog, type LogPast } from "./read-log.ts";
import { recoverInterrupted } from "./recovery.ts";

const DAY = 86_400_000;
type Room = ReturnType<typeof recordRoom>;

const believed = (): Promise<boolean> => Promise.resolve(true);

/** An instance that two principals used, one of whom saw something. */
async function ranBefore(store: HostStore, said?: Partial<HandOver>): Promise<Room> {
  const room = recordRoom(store);
  await room.begin(said);
  for (const [principal, label] of [
    ["alice", "pii"],
    ["bob", LOWEST_LABEL],
  ] as const) {
    const recorded = await room.sessions.openOrJoin(callerOf(principal), null);
    await room.recorder.ensureStarted(recorded);
    recorded.session.raise(labelOf(label));
    await room.recorder.note(recorded, {
      entry_type: "fault",
      session_sensitivity_after: recorded.session.sensitivity,
    }).stored;
    await room.closing.close(recorded);
  }
  return room;
}

/** Begins over what the host shows. */
async function began(store: HostStore, believes: (handOver: HandOver) => Promise<boolean> = believed) {
  const room = recordRoom(store);
  const past = await readLog({ journal: room.journal, origin: ORIGIN, believes });
  room.journal.state = past.state;
  await room.begin({ history: past.history, predecessor: past.predecessor });
  return { room, past };
}

interface Began {
  readonly room: Room;
  readonly past: LogPast;
}

/** The labels that principals then have. */
async function labelsIn({ room, past }: Began, floorMs = DAY): Promise<Record<string, string>> {
  const { journal, sessions, vocabulary } = room;
  const root = () => ({ ...room.facts, history: past.history });
  await recoverInterrupted(
    { journal, sessions, vocabulary, root, now: () => Date.now(), floorMs, killSwitch: null },
    past.state,
  );
  const labels: Record<string, string> = {};
  for (const principal of ["alice", "bob", "carol"])
    labels[principal] = (await sessions.openOrJoin(callerOf(principal), null)).session.sensitivity;
  return labels;
}

const { vocabulary } = recordRoom(new HostStore());
const highest = vocabulary.linear(vocabulary.highest.compartments);
const KNOWN = { alice: "pii", bob: LOWEST_LABEL, carol: LOWEST_LABEL };
const UNKNOWN = { alice: highest, bob: highest, carol: highest };

async function logOf(options: { readonly snapshot?: boolean } = {}): Promise<HostStore> {
  const store = new HostStore();
  const room = await ranBefore(store);
  if (options.snapshot === true) {
    await room.journal.writeSnapshot();
    const later = await room.sessions.openOrJoin(callerOf("bob"), "later");
    await room.recorder.ensureStarted(later);
  }
  return store;
}

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
    (await readLog({ journal: recordRoom(store).journal, origin: ORIGIN, believes: stranger(key.jwk.x) })).history
      .state;
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
  await assert.rejects(readLog({ journal, origin: "log.example/1", believes: believed }), {
    code: "AUDIT_STORE_MISMATCH",
    message: /log\.example\/0.*log\.example\/1/,
  });
  store.records = store.records.slice(1);
  store.leaves[0] = new Uint8Array(32);
  await assert.rejects(readLog({ journal, origin: ORIGIN, believes: believed }), { code: "AUDIT_STORE_MISMATCH" });
  const malformed = await logOf();
  const again = recordRoom(malformed).journal;
  const { note } = malformed;
  for (const other of ["x\n1\n", note.replace("\n", "\n1"), note.slice(1), `${note} `]) {
    malformed.note = other;
    await assert.rejects(
      readLog({ journal: again, origin: ORIGIN, believes: believed }),
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

test("sealed identities are handed on although nobody is believed", async () => {
  const store = new HostStore();
  await ranBefore(store, { sealed_identity: "c2VhbGVk" });
  const { past } = await began(store, () => Promise.resolve(false));
  assert.deepEqual([past.sealedIdentities, past.history.state], [["c2VhbGVk"], "incomplete"]);
});

test("an unknown past stays unknown for later instances, until the floor's time is over or an operator resets a principal", async () => {
  const store = await logOf();
  store.records = store.records.slice(1);
  const { room } = await began(store);
  const recorded = await room.sessions.openOrJoin(callerOf("alice"), null);
  await room.recorder.ensureStarted(recorded);
  await room.recorder.note(recorded, {
    entry_type: "session_reset",
    session_sensitivity_after: LOWEST_LABEL,
    detail: { principal: "alice" },
  }).stored;
  await room.journal.writeSnapshot();
  const next = await began(store);
  assert.equal(next.past.history.state, "complete", "this start reads what it needs");
  assert.deepEqual(await labelsIn(next), { ...UNKNOWN, alice: LOWEST_LABEL });
  const later = await began(store);
  assert.deepEqual(await labelsIn(later, -DAY), { alice: LOWEST_LABEL, bob: LOWEST_LABEL, carol: LOWEST_LABEL });
});

test("blocks and who was unblocked since are restored", async () => {
  const store = new HostStore();
  const room = await ranBefore(store);
  const recorded = await room.sessions.openOrJoin(callerOf("alice"), null);
  await room.recorder.ensureStarted(recorded);
  const statement = {
    v: 1,
    purpose: "kill-switch-trip",
    instance: room.instance,
    principal: "alice",
    sequence: 1,
    reason: "r",
  } as const;
  const detail = killSwitchDetail({ statement, key: "k".repeat(43), signature: "s".repeat(86) });
  await room.recorder.note(recorded, { entry_type: "break_glass_used", detail }).stored;
  const restored: unknown[] = [];
  const restore = async (shown: HostStore): Promise<void> => {
    const { room: next, past } = await began(shown);
    const { journal, sessions, vocabulary: labels } = next;
    const killSwitch = { restore: (blocks: unknown) => void restored.push(blocks) };
    const root = () => next.facts;
    await recoverInterrupted(
      { journal, sessions, vocabulary: labels, root, now: Date.now, floorMs: DAY, killSwitch },
      past.state,
    );
  };
  await restore(store);
  store.records = store.records.slice(1);
  await restore(store);
  assert.deepEqual(restored, [
    { blocked: new Set(["alice"]), unknownExcept: null },
    { blocked: new Set(), unknownExcept: new Set() },
  ]);
});

test("a call that an instance left open becomes a fault in a session of the next one, and what it could return counts", async () => {
  const store = new HostStore();
  const room = await ranBefore(store);
  const recorded = await room.sessions.openOrJoin(callerOf("bob"), null);
  await room.recorder.ensureStarted(recorded);
  await room.recorder.intent(recorded, {
    call_id: "call-1",
    tool_name: "t",
    server_identity: null,
    workflow_id: null,
    request_hash: "sha256:r",
    policy_hash: room.facts.policy.hash,
    session_sensitivity: "mnpi",
    compartments: "mnpi",
  });
  const start = await began(store);
  assert.deepEqual(await labelsIn(start), { ...KNOWN, bob: "mnpi" });
  const faults = store.ofInstance(start.room.instance).filter(({ kind }) => kind === "entry");
  assert.equal(faults.length, 3);
  assert.deepEqual(start.past.state.openCalls, []);
  assert.deepEqual(await labelsIn(await began(store)), { ...KNOWN, bob: "mnpi" }, "and is answered once");
  assert.equal(store.records.filter(({ body }) => Buffer.from(body).includes('"recovered_session"')).length, 2);
});

test("a later instance starts a principal with every compartment and the integrity of earlier ones", async () => {
  const store = new HostStore();
  const room = recordRoom(store);
  await room.begin();
  const recorded = await room.sessions.openOrJoin(callerOf("alice"), null);
  await room.recorder.ensureStarted(recorded);
  recorded.session.raise({ compartments: ["hipaa_phi", "mnpi"], integrity: "untrusted" });
  const { sensitivity } = recorded.session;
  await room.recorder.note(recorded, { entry_type: "fault", session_sensitivity_after: sensitivity }).stored;
  const next = await began(store);
  await labelsIn(next);
  const { session } = await next.room.sessions.openOrJoin(callerOf("alice"), "beside");
  assert.deepEqual([session.compartments, session.mayCallConsequential], [["hipaa_phi", "mnpi"], false]);
});
