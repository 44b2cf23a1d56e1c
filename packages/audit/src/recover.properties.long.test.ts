import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { untrusted, type Untrusted } from "@cmcp/boundary";
import * as fc from "fast-check";
import type { AuditEntry } from "./entry.ts";
import type { Intent, JournalStatement } from "./journal.ts";
import { planRecovery, type RecoveryStep } from "./plan-recovery.ts";
import { recover, type RecoveredInstance } from "./recover.ts";
import { POLICY, thumbprint, WritingInstance } from "./testing/instance.ts";
import { TipJournalReader } from "./tip-journal-reader.ts";

const SESSIONS = [
  "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90",
  "5a1d9d3c-3f49-4c0e-8d50-6f5f2b7f1a11",
  "9a3a3f0e-61a2-4f2f-9a3b-0d4d7d0c2c55",
];

type Act = readonly [session: number, act: "intent" | "settle" | "deny" | "end"];
const acts = fc.array(
  fc.tuple(fc.nat(SESSIONS.length - 1), fc.constantFrom<Act[1]>("intent", "intent", "settle", "settle", "deny", "end")),
  { minLength: 1, maxLength: 25 },
);

/** What an enclave would have written: intents before sends, an entry for what settled, nothing after an end. */
function written(script: readonly Act[]): WritingInstance {
  const instance = new WritingInstance();
  const open = new Map<string, string[]>();
  const ended = new Set<string>();
  for (const [index, [number, act]] of script.entries()) {
    const session = SESSIONS[number] ?? "";
    if (ended.has(session)) continue;
    const calls = open.get(session) ?? [];
    if (!open.has(session)) instance.start(session);
    open.set(session, calls);
    const callId = `call-${index}`;
    if (act === "intent") calls.push(instance.intent(session, callId).call_id);
    else if (act === "settle") instance.call(session, calls.shift() ?? callId);
    else if (act === "deny") instance.call(session, callId);
    else ended.add(instance.end(session).session_id);
  }
  return instance;
}

interface Harm {
  readonly kind: "cut" | "drop" | "repeat" | "garbage" | "replay" | "forge" | "swap" | "flip";
  readonly at: number;
  /** The other place of a swap, the byte of a flip. */
  readonly with: number;
}
const harms = fc.array(
  fc.record({
    kind: fc.constantFrom<Harm["kind"]>("cut", "drop", "repeat", "garbage", "replay", "forge", "swap", "flip"),
    at: fc.nat(),
    with: fc.nat(),
  }),
  { maxLength: 4 },
);

/** One thing the store hands back: which record of whose journal it is, if it is one. */
interface Item {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly of: WritingInstance | null;
  readonly seq: number;
}

const itemsOf = (instance: WritingInstance): Item[] =>
  instance.journal.map(({ bytes }, seq) => ({ bytes, of: instance, seq }));
const junk = (bytes: Uint8Array<ArrayBuffer>): Item => ({ bytes, of: null, seq: -1 });

/** What a hostile store makes of a journal; `foreign` is the journal of another instance. */
function harmed(instance: WritingInstance, foreign: WritingInstance, schedule: readonly Harm[]): Item[] {
  let items = itemsOf(instance);
  for (const harm of schedule) {
    const at = harm.at % (items.length + 1);
    const here = items[at];
    if (harm.kind === "cut") items = items.slice(0, at);
    else if (harm.kind === "garbage") items.splice(at, 0, junk(new Uint8Array([harm.at & 255, 0, 1])));
    else if (harm.kind === "replay") items.splice(at, 0, ...itemsOf(foreign));
    else if (here === undefined) continue;
    else if (harm.kind === "drop") items.splice(at, 1);
    else if (harm.kind === "repeat") items.push(here);
    else if (harm.kind === "forge") items.splice(at, 0, junk(forged(here.bytes)));
    else if (harm.kind === "swap") {
      const other = harm.with % items.length;
      const there = items[other] ?? here;
      items[at] = there;
      items[other] = here;
    } else items[at] = junk(flipped(here.bytes, harm.with));
  }
  return items;
}

function flipped(bytes: Uint8Array, at: number): Uint8Array<ArrayBuffer> {
  const copy = Uint8Array.from(bytes);
  copy[at % copy.length] = (copy[at % copy.length] ?? 0) ^ 1;
  return copy;
}

/** The record with one digit of its text and its signature exchanged: of the right form, signed by nobody. */
function forged(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const text = Buffer.from(bytes)
    .toString()
    .replace(/"value":"[^"]*"(?=[^]*$)/g, `"value":"${"A".repeat(86)}"`);
  return new TextEncoder().encode(text.replace('"seq":', '"seq":1'));
}

/** The record under another number, which its signature does not cover any more. */
function numbered(bytes: Uint8Array, number: number): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(
    Buffer.from(bytes)
      .toString()
      .replace(/"seq":\d+/, `"seq":${number}`),
  );
}

function records(items: readonly Item[]): Untrusted<Uint8Array>[] {
  return items.map(({ bytes }) => untrusted(bytes));
}

function entriesOf(instance: WritingInstance, session: string): AuditEntry[] {
  return instance.journal.flatMap(({ statement }) =>
    statement.kind === "entry" && statement.body.entry.session_id === session ? [statement.body.entry] : [],
  );
}

/** Whose journal is being read: of whoever's first record arrives first. */
const ownerOf = (items: readonly Item[]): WritingInstance | null => items.find(({ seq }) => seq === 0)?.of ?? null;

/** The owner's statements that arrive after its first record and in rising order: nothing else can be believed. */
function arriving(owner: WritingInstance, items: readonly Item[]): JournalStatement[] {
  let last = -1;
  return items.slice(items.findIndex(({ of, seq }) => of === owner && seq === 0)).flatMap(({ of, seq }) => {
    const statement = of === owner && seq > last ? owner.journal[seq]?.statement : undefined;
    if (statement === undefined) return [];
    last = seq;
    return [statement];
  });
}

function assertPrefixes({ sessions }: RecoveredInstance, owner: WritingInstance): void {
  for (const [session, { root, tip, length, closed }] of sessions) {
    const entries = entriesOf(owner, session);
    assert.ok(length > 0 && length <= entries.length);
    assert.equal(root, entries[0]?.entry_hash);
    assert.equal(tip, entries[length - 1]?.entry_hash);
    assert.equal(closed, entries[length - 1]?.entry_type === "session_end");
  }
}

const faultsOf = (steps: readonly RecoveryStep[]): string[] =>
  steps
    .flatMap(({ rootDetail, faults }) => faults.map((fault) => `${rootDetail.recovered_session} ${fault.call_id}`))
    .sort();
const named = ({ session_id: session, call_id: id }: Intent): string => `${session} ${id}`;

test("whatever the store does, what is believed of a session is a prefix of what was written, and every open call of it is answered exactly once", () => {
  const foreign = written([
    [0, "intent"],
    [0, "settle"],
    [1, "intent"],
  ]);
  fc.assert(
    fc.property(acts, harms, (script, schedule) => {
      const items = harmed(written(script), foreign, schedule);
      const found = recover(records(items), thumbprint);
      const owner = ownerOf(items);
      assert.equal(found?.instance, owner?.name);
      if (found === null || owner === null) return;
      const statements = arriving(owner, items);
      assertPrefixes(found, owner);
      const settled = new Set(
        statements.flatMap((statement) => (statement.kind === "entry" ? [statement.body.entry.call_id] : [])),
      );
      const open = statements.flatMap((statement) =>
        statement.kind === "intent" &&
        found.sessions.has(statement.body.session_id) &&
        !settled.has(statement.body.call_id)
          ? [statement.body]
          : [],
      );
      assert.deepEqual(
        [...found.sessions.values()].flatMap(({ openIntents }) => openIntents.map(named)).sort(),
        open.map(named).sort(),
      );
      assert.deepEqual(
        faultsOf(planRecovery([found, found], POLICY)),
        open.map(named).sort(),
        "a journal shown twice is answered once",
      );
      assert.equal(
        found.gapless,
        items.every(({ of, seq }, index) => of === owner && seq === index),
        "gapless says that this is the journal's beginning, whole and in order",
      );
    }),
    { numRuns: 300 },
  );
});

test("with few signatures too: what is believed was written, an open call is one without an entry, and what was left as it was is believed", () => {
  const foreign = written([
    [0, "intent"],
    [0, "settle"],
    [1, "intent"],
  ]);
  fc.assert(
    fc.property(
      acts,
      harms,
      fc.array(fc.tuple(fc.nat(), fc.nat(9)), { maxLength: 2 }),
      (script, schedule, renumbered) => {
        let items = harmed(written(script), foreign, schedule);
        const owner = ownerOf(items);
        for (const [at, number] of renumbered)
          items = items.map((item, index) =>
            index === at % items.length ? { ...item, bytes: numbered(item.bytes, number) } : item,
          );
        const reader = new TipJournalReader(thumbprint);
        for (const record of records(items)) reader.add(record);
        const found = reader.finish();
        if (schedule.length === 0 && renumbered.length === 0) assert.ok(found !== null);
        if (found === null || owner === null) return assert.ok(found === null);
        assertPrefixes(found, owner);
        const shown = new Set(items.flatMap(({ of, seq }) => (of === owner ? [owner.journal[seq]?.statement] : [])));
        // The chain proves an entry whose record was harmed outside of its text.
        const settled = new Set(
          [...found.sessions].flatMap(([session, { length }]) =>
            entriesOf(owner, session)
              .slice(0, length)
              .map(({ call_id: id }) => id),
          ),
        );
        const open = [...shown].flatMap((statement) =>
          statement?.kind === "intent" && !settled.has(statement.body.call_id) ? [statement.body] : [],
        );
        assert.deepEqual(
          [...found.sessions.values()].flatMap(({ openIntents }) => openIntents.map(named)).sort(),
          open.map(named).sort(),
        );
      },
    ),
    { numRuns: 500 },
  );
});

test("of a journal that only ends early, everything before the end is believed", () => {
  fc.assert(
    fc.property(acts, fc.nat(), (script, at) => {
      const instance = written(script);
      const kept = instance.journal.slice(0, 1 + (at % instance.journal.length));
      const found = recover(instance.records.slice(0, kept.length), thumbprint);
      assert.ok(found !== null && found.gapless && found.refused === 0);
      for (const session of SESSIONS) {
        const entries = kept.filter(
          ({ statement }) => statement.kind === "entry" && statement.body.entry.session_id === session,
        );
        assert.equal(found.sessions.get(session)?.length ?? 0, entries.length);
      }
    }),
    { numRuns: 100 },
  );
});

/** Writes recovery sessions as a new instance does, stopping after `most` records. */
function recovery(steps: readonly RecoveryStep[], most: number): WritingInstance {
  const instance = new WritingInstance();
  const more = (): boolean => instance.journal.length < most;
  for (const step of steps) {
    const session = randomUUID();
    if (more()) instance.start(session, { ...step.rootDetail });
    for (const fault of step.faults) if (more()) instance.entry(session, fault);
    if (more()) instance.end(session);
  }
  return instance;
}

test("a recovery that is itself interrupted is finished by the next one, and no call is answered twice", () => {
  fc.assert(
    fc.property(acts, fc.array(fc.nat(12), { maxLength: 3 }), (script, cuts) => {
      const boots = [written(script)];
      const answers: string[] = [];
      const plan = (): RecoveryStep[] =>
        planRecovery(
          boots.flatMap((boot) => recover(boot.records, thumbprint) ?? []),
          POLICY,
        );
      const open = faultsOf(plan());
      for (const most of [...cuts, Number.POSITIVE_INFINITY]) {
        const boot = recovery(plan(), most);
        boots.push(boot);
        for (const { statement } of boot.journal) {
          if (statement.kind === "entry" && statement.body.entry.entry_type === "tool_call") {
            answers.push(
              `${String(statement.body.entry.detail?.["recovered_session"])} ${String(statement.body.entry.call_id)}`,
            );
          }
        }
      }
      assert.deepEqual(answers.sort(), open);
      assert.deepEqual(plan(), []);
    }),
    { numRuns: 60 },
  );
});
