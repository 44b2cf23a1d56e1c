/** A start before which the host changed the past: what contradicts itself puts every principal at the highest label. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { LOWEST_LABEL } from "@cmcp/session";
import { callerOf, HostStore, recordRoom, type StoredRecord } from "../testing/record-room.ts";
import { readEarlierInstances } from "./earlier-instances.ts";
import { recoverInterrupted } from "./recovery.ts";
import { rootDetail } from "./root-detail.ts";
import { labelOf } from "../testing/labels.ts";

const DAY = 86_400_000;
type Room = ReturnType<typeof recordRoom>;

/** An instance that two principals used, one of whom saw something. */
async function ranBefore(store: HostStore, previous?: Parameters<Room["begin"]>[0]): Promise<Room> {
  const room = recordRoom(store);
  await room.begin(previous);
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

/** A start over what the host shows, and what each principal then has. */
async function started(store: HostStore, floorMs = DAY) {
  const room = recordRoom(store);
  const earlier = await readEarlierInstances(room.journal, room.instance);
  await recoverInterrupted(
    {
      journal: room.journal,
      sessions: room.sessions,
      vocabulary: room.vocabulary,
      root: () => ({ ...room.facts, history: earlier.history }),
      now: () => Date.now(),
      floorMs,
      killSwitch: null,
      hasSigned: () => false,
    },
    earlier,
  );
  const labels: Record<string, string> = {};
  for (const principal of ["alice", "bob", "carol"])
    labels[principal] = (await room.sessions.openOrJoin(callerOf(principal), null)).session.sensitivity;
  return { room, earlier, labels, history: earlier.history };
}

const KNOWN = { alice: "pii", bob: LOWEST_LABEL, carol: LOWEST_LABEL };
const { vocabulary } = recordRoom(new HostStore());
const highest = vocabulary.linear(vocabulary.highest.compartments);
const UNKNOWN = { alice: highest, bob: highest, carol: highest };

async function store(...change: ((records: StoredRecord[]) => StoredRecord[])[]): Promise<HostStore> {
  const made = new HostStore();
  await ranBefore(made);
  for (const apply of change) made.records = apply(made.records);
  return made;
}

test("a later instance starts a principal with every compartment and the integrity of earlier ones", async () => {
  const made = new HostStore();
  const room = recordRoom(made);
  await room.begin();
  const recorded = await room.sessions.openOrJoin(callerOf("alice"), null);
  await room.recorder.ensureStarted(recorded);
  recorded.session.raise({ compartments: ["hipaa_phi", "mnpi"], integrity: "untrusted" });
  const { sensitivity } = recorded.session;
  await room.recorder.note(recorded, { entry_type: "fault", session_sensitivity_after: sensitivity }).stored;
  await room.closing.close(recorded);
  const next = await started(made);
  const { session } = await next.room.sessions.openOrJoin(callerOf("alice"), "beside");
  assert.deepEqual([session.compartments, session.mayCallConsequential], [["hipaa_phi", "mnpi"], false]);
});

test("unchanged journals give each principal its own label", async () => {
  const { labels, history } = await started(await store());
  assert.deepEqual([labels, history], [KNOWN, { state: "complete" }]);
  assert.deepEqual((await started(new HostStore())).history, { state: "complete" }, "no past is a whole one");
});

test("a journal without any one of its records but the last puts every principal at the highest label, those never seen included", async () => {
  const whole = await store();
  for (let left = 1; left < whole.records.length - 1; left += 1) {
    const shown = new HostStore();
    shown.records = whole.records.toSpliced(left, 1);
    const { labels, history } = await started(shown);
    assert.deepEqual([labels, history.state], [UNKNOWN, "incomplete"], `without ${left}`);
  }
});

test("a changed, repeated, moved or inserted record puts every principal at the highest label", async () => {
  const other = new HostStore();
  const stranger = await ranBefore(other);
  const changes: Record<string, (records: StoredRecord[]) => StoredRecord[]> = {
    garbage: (records) => records.toSpliced(3, 0, held(records[1], new Uint8Array([0xff]))),
    flipped: (records) => records.with(3, held(records[3], flipped(records[3]))),
    "a record twice": (records) => [...records, ...records.slice(2, 3)],
    swapped: (records) => records.with(2, at(records, 3)).with(3, at(records, 2)),
    "another instance's": (records) => records.toSpliced(3, 0, held(records[1], at(other.records, 2).bytes)),
  };
  for (const [what, change] of Object.entries(changes)) {
    const { labels, history } = await started(await store(change));
    assert.deepEqual([labels, history.state], [UNKNOWN, "incomplete"], what);
  }
  assert.notEqual(stranger.instance, "");
});

test("the reason of an incomplete history says what is wrong", async () => {
  const reasons: [string, (records: StoredRecord[]) => StoredRecord[]][] = [
    [
      "gap",
      (records) =>
        records.toSpliced(
          records.findIndex(({ kind }) => kind === "claim"),
          1,
        ),
    ],
    ["refused", (records) => records.toSpliced(3, 0, held(records[1], new Uint8Array([0xff])))],
    ["unreadable", (records) => records.with(0, held(records[0], flipped(records[0])))],
    ["unreadable", (records) => records.with(0, held(records[0], new Uint8Array([0x7b])))],
  ];
  for (const [reason, change] of reasons)
    assert.deepEqual((await started(await store(change))).history, { state: "incomplete", reason });
});

test("an instance that a later one names and the store lacks is missing", async () => {
  const two = new HostStore();
  const first = await ranBefore(two);
  const records = two.records.length;
  const second = await ranBefore(two, { instance: first.instance, records });
  assert.deepEqual((await started(two)).history, { state: "complete" });
  const cut = new HostStore();
  cut.records = two.records.toSpliced(records - 1, 1);
  assert.deepEqual((await started(cut)).history, { state: "incomplete", reason: "gap" }, "nor is its end hidden");
  two.records = two.records.filter(({ instance }) => instance === second.instance);
  const { labels, history } = await started(two);
  assert.deepEqual([labels, history], [UNKNOWN, { state: "incomplete", reason: "missing-instance" }]);
});

test("more instances than are read put every principal at the highest label", async () => {
  const many = new HostStore();
  for (let begun = 0; begun < 1_024; begun += 1) await recordRoom(many).begin();
  assert.deepEqual((await started(many)).history, { state: "complete" });
  await recordRoom(many).begin();
  const { labels, history } = await started(many);
  assert.deepEqual([labels, history], [UNKNOWN, { state: "incomplete", reason: "too-many-instances" }]);
});

test("a scan that breaks off is a gap, and a host that does not answer fails the start", async () => {
  const shown = await store();
  const room = recordRoom(shown);
  const failing = (code: "AUDIT_STORE_MISMATCH" | "AUDIT_STORE_UNAVAILABLE") => ({
    async *scan(filter: Parameters<typeof room.journal.scan>[0]) {
      yield* room.journal.scan(filter);
      if (filter.instance !== undefined) throw new CmcpError(code, "cut");
    },
  });
  const { history } = await readEarlierInstances(failing("AUDIT_STORE_MISMATCH"), room.instance);
  assert.deepEqual(history, { state: "incomplete", reason: "gap" });
  await assert.rejects(readEarlierInstances(failing("AUDIT_STORE_UNAVAILABLE"), room.instance), {
    code: "AUDIT_STORE_UNAVAILABLE",
  });
});

test("an operator's reset in a later instance counts for its principal and for nobody else", async () => {
  const made = await store((records) => records.toSpliced(2, 1));
  const { room } = await started(made);
  await room.begin();
  const recorded = await room.sessions.openOrJoin(callerOf("alice"), null);
  await room.recorder.ensureStarted(recorded);
  const { before, after } = room.sessions.reset(recorded);
  assert.deepEqual([before, after], [highest, LOWEST_LABEL]);
  await room.recorder.note(recorded, {
    entry_type: "session_reset",
    session_sensitivity_before: before,
    session_sensitivity_after: after,
  }).stored;
  await room.closing.close(recorded);
  const next = await room.sessions.openOrJoin(callerOf("alice"), null);
  assert.equal(next.session.sensitivity, LOWEST_LABEL, "here, too");
});

test("a reset before the gap does not count", async () => {
  const made = await store();
  const room = recordRoom(made);
  await room.begin();
  for (let session = 0; session < 2; session += 1) {
    const recorded = await room.sessions.openOrJoin(callerOf("alice"), null);
    await room.recorder.ensureStarted(recorded);
    const { before, after } = room.sessions.reset(recorded);
    const labels = { session_sensitivity_before: before, session_sensitivity_after: after };
    await room.recorder.note(recorded, { entry_type: "session_reset", ...labels }).stored;
    await room.closing.close(recorded);
  }
  assert.equal((await started(made)).labels["alice"], LOWEST_LABEL);
  const later = await ranBefore(made);
  made.records = made.records.toSpliced(made.records.findIndex(({ instance }) => instance === later.instance) + 2, 1);
  assert.deepEqual((await started(made)).labels, UNKNOWN);
});

test("a flawed journal older than the floor time raises nobody, and is still reported", async () => {
  const changed = await store((records) => records.toSpliced(2, 1));
  const { labels, history } = await started(changed, -DAY);
  assert.deepEqual(labels, { alice: LOWEST_LABEL, bob: LOWEST_LABEL, carol: LOWEST_LABEL });
  assert.equal(history.state, "incomplete");
});

test("every root entry says whether the history is complete, and why not", async () => {
  const { facts } = recordRoom(new HostStore());
  assert.equal(rootDetail(facts, "alice")["history"], "complete");
  assert.ok(!("history_reason" in rootDetail(facts, "alice")));
  const incomplete = rootDetail({ ...facts, history: { state: "incomplete", reason: "gap" } }, "alice");
  assert.deepEqual([incomplete["history"], incomplete["history_reason"]], ["incomplete", "gap"]);
  const { earlier } = await started(await store());
  assert.equal(earlier.instances.length, 1);
});

function at(records: readonly StoredRecord[], index: number): StoredRecord {
  const found = records[index];
  assert.ok(found !== undefined);
  return found;
}

function held(like: StoredRecord | undefined, bytes: Uint8Array): StoredRecord {
  assert.ok(like !== undefined);
  return { ...like, bytes };
}

function flipped(record: StoredRecord | undefined): Uint8Array {
  assert.ok(record !== undefined);
  const text = Buffer.from(record.bytes).toString();
  return new TextEncoder().encode(
    text.replace(/"value":"./, (found) => `${found.slice(0, -1)}${found.endsWith("A") ? "B" : "A"}`),
  );
}
