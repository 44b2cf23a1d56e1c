/** What records amount to: the same for the instance that wrote them and for one that begins at any snapshot. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { callKeyDetail, keyDigest } from "./call-key.ts";
import { handOverSchema, type HandOver } from "./hand-over.ts";
import type { JournalStatement } from "./journal.ts";
import { killSwitchDetail } from "./kill-switch.ts";
import { LogState } from "./log-state.ts";
import { WritingInstance, WrittenLog } from "./testing/instance.ts";

const A = "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90";
const B = "1b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e91";
const HEX = "0".repeat(64);
const TIME = 1_785_000_000_000;

/** Everything that a state says. */
function facts(state: LogState): object {
  return {
    principals: [...state.principals].map(([name, { labels, untrusted, time }]) => [
      name,
      [...labels].sort(),
      untrusted,
      time,
    ]),
    calls: state.openCalls,
    tokens: [...state.tokens],
    blocked: [...state.blocked].sort(),
    keys: state.policyKeys,
    unknown:
      state.unknown === null
        ? null
        : [state.unknown.since, [...state.unknown.reset].sort(), [...state.unknown.unblocked].sort()],
    callKeys: [...state.keys.rows()],
    rest: state.handOver === null ? null : state.summary(),
  };
}

/** The state of a log that is read from its last snapshot on. */
function readBack(log: WrittenLog): LogState {
  const last = log.records.findLastIndex(({ kind }) => kind === "snapshot");
  const state = new LogState();
  const snapshot = log.records[last]?.statement;
  let from = 0;
  if (snapshot?.kind === "snapshot") {
    state.restoreSummary(snapshot.body, handOverSchema.parse(snapshot.body.hand_over));
    for (const { statement } of log.records.slice(snapshot.body.at, last))
      if (statement.kind === "snapshot-part") for (const row of statement.body.rows) assert.ok(state.restoreRow(row));
    from = last + 1;
  }
  for (const [at, { statement, leaf }] of log.records.slice(from).entries())
    state.apply(statement, writerOf(leaf), from + at);
  return state;
}

const writerOf = (leaf: Uint8Array): string =>
  (JSON.parse(Buffer.from(leaf).toString()) as { instance: string }).instance;

const label = (
  instance: WritingInstance,
  principal: string,
  after: string,
  detail: Record<string, string> = {},
): void =>
  void instance.entry(A, { entry_type: "fault", session_sensitivity_after: after, detail: { principal, ...detail } });

test("entries raise the principal that they name, to every label they name", () => {
  const instance = new WritingInstance();
  instance.start(A, { principal: "alice" });
  label(instance, "alice", "pii", { compartments: "mnpi,pii" });
  label(instance, "bob", "public", { integrity: "untrusted" });
  label(instance, "alice", "confidential");
  instance.entry(A, { entry_type: "fault", detail: { principal: "carol" } });
  const { principals, timeFloor } = instance.log.state;
  const alice = principals.get("alice");
  assert.deepEqual([...(alice?.labels ?? [])].sort(), ["confidential", "mnpi", "pii"]);
  assert.deepEqual([alice?.untrusted, alice?.time], [false, TIME]);
  assert.deepEqual([principals.get("bob")?.untrusted, principals.has("carol")], [true, false]);
  assert.equal(timeFloor, Date.parse("2026-08-01T00:00:00.000Z"), "the later of the boot and the entries");
});

test("a reset leaves a principal with what its other sessions have seen", () => {
  const instance = new WritingInstance();
  instance.start(A, { principal: "alice" });
  label(instance, "alice", "hipaa_phi", { compartments: "hipaa_phi", integrity: "untrusted" });
  const detail = { principal: "alice", principal_compartments: "pii" };
  instance.entry(A, { entry_type: "session_reset", session_sensitivity_after: "public", detail });
  const alice = instance.log.state.principals.get("alice");
  assert.deepEqual([[...(alice?.labels ?? [])], alice?.untrusted], [["public", "pii"], false]);
});

test("a hand-over over an unknown past makes everything unknown but what is vouched for since", () => {
  const instance = new WritingInstance();
  instance.start(A, { principal: "alice" });
  const later = new WritingInstance(undefined, instance.log, {
    history: { state: "incomplete", reason: "no-snapshot" },
  });
  const { state } = instance.log;
  assert.deepEqual([state.unknown?.since, state.believedFrom], [Date.parse(later.handOver.boot_time), 2]);
  later.entry(A, { entry_type: "session_start", detail: { principal: "bob" } });
  const detail = { principal: "bob" };
  later.entry(A, { entry_type: "session_reset", session_sensitivity_after: "public", detail });
  const unblock = {
    v: 1,
    purpose: "kill-switch-unblock",
    instance: later.name,
    principal: "bob",
    sequence: 1,
    reason: "r",
  } as const;
  later.entry(A, {
    entry_type: "break_glass_used",
    detail: killSwitchDetail({ statement: unblock, key: "k".repeat(43), signature: "s".repeat(86) }),
  });
  assert.deepEqual([[...(state.unknown?.reset ?? [])], [...(state.unknown?.unblocked ?? [])]], [["bob"], ["bob"]]);
  const believing = new WritingInstance(undefined, instance.log);
  assert.equal(believing.handOver.history.state, "complete");
  assert.equal(
    state.unknown?.since,
    Date.parse(later.handOver.boot_time),
    "an instance that believes the log changes nothing",
  );
  assert.deepEqual(facts(readBack(instance.log)), facts(state));
});

const STATEMENT = { hash: `sha256:${"0".repeat(64)}`, key: "A".repeat(43) };

test("the highest sequence of a statement stays, over snapshots and messages that nobody signed", () => {
  const { log } = new WritingInstance();
  const instance = new WritingInstance(undefined, log);
  const provision = (sequence: number | null): void =>
    void instance.write({
      kind: "provision",
      body: {
        sequence: 1,
        principals: [],
        credentials: [],
        ...(sequence === null ? {} : { statement: { ...STATEMENT, sequence } }),
      },
    });
  assert.equal(log.state.provisionStatement, 0);
  for (const sequence of [7, null, 3]) {
    provision(sequence);
    assert.equal(log.state.provisionStatement, 7);
  }
  instance.snapshot();
  assert.equal(readBack(log).provisionStatement, 7);
});

test("the stored set is the last provisioning's or none, over snapshots, and none where the past is not known", () => {
  const { log } = new WritingInstance();
  const instance = new WritingInstance(undefined, log);
  const stored = { nonce: "A".repeat(16), ciphertext: "A".repeat(22) };
  const provision = (isStored: boolean): number => {
    const body = { sequence: 1, principals: [], credentials: [], ...(isStored ? { stored } : {}) };
    instance.write({ kind: "provision", body });
    return log.records.length - 1;
  };
  const isAt = (index: number | null): void =>
    assert.deepEqual([log.state.storedSet, readBack(log).storedSet], [index, index]);
  isAt(null);
  provision(true);
  const last = provision(true);
  isAt(last);
  instance.snapshot();
  isAt(last);
  provision(false);
  isAt(null);
  instance.snapshot();
  isAt(null);
  provision(true);
  const later = new WritingInstance(undefined, log, { history: { state: "incomplete", reason: "missing-body" } });
  isAt(null);
  later.snapshot();
  isAt(null);
});

test("tokens keep their principal, provisionings count on, and the latest sealed identities stay", () => {
  const log = new WrittenLog();
  for (let begun = 0; begun < 10; begun += 1) {
    const sealed: Partial<HandOver> = { sealed_identity: `id-${begun}` };
    const instance = new WritingInstance(undefined, log, sealed);
    const tokens = [begun.toString(16).padStart(64, "0")];
    const body = { sequence: begun + 1, principals: [{ principal: "alice", tokens }], credentials: [] };
    instance.write({ kind: "provision", body });
  }
  assert.deepEqual([log.state.tokens.size, log.state.provision], [10, 10]);
  assert.deepEqual(log.state.sealedIdentities, ["id-9", "id-8", "id-7", "id-6", "id-5", "id-4", "id-3", "id-2"]);
});

test("principals that no entry named for long are dropped", () => {
  const instance = new WritingInstance();
  instance.start(A, { principal: "alice" });
  label(instance, "alice", "pii");
  instance.log.state.dropPrincipals(TIME);
  assert.equal(instance.log.state.principals.size, 1);
  instance.log.state.dropPrincipals(TIME + 1);
  assert.equal(instance.log.state.principals.size, 0);
});

test("a snapshot is cut into bounded parts", () => {
  const instance = new WritingInstance();
  instance.start(A, { principal: "alice" });
  for (let count = 0; count < 1_000 + 5; count += 1) label(instance, `principal-${count}`, "pii");
  instance.snapshot();
  const parts = instance.log.records.flatMap(({ statement }) =>
    statement.kind === "snapshot-part" ? [statement.body] : [],
  );
  assert.deepEqual(
    parts.map(({ part, rows }) => [part, rows.length]),
    [
      [0, 1_000],
      [1, 5],
    ],
  );
  assert.deepEqual(facts(readBack(instance.log)), facts(instance.log.state));
});

/** One act of a gateway, by a number of random choices. */
const act = fc.record({
  what: fc.constantFrom("label", "intent", "call", "reset", "trip", "unblock", "provision", "snapshot", "boot", "lost"),
  who: fc.constantFrom("alice", "bob", "carol"),
  session: fc.constantFrom(A, B),
  number: fc.nat(5),
});

test("a state that is read back from the last snapshot on is that of the whole log", () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 40 }), (acts) => {
      const log = new WrittenLog();
      let instance = new WritingInstance(undefined, log);
      const begin = (): void => {
        for (const session of [A, B]) instance.start(session, { principal: "alice" });
      };
      begin();
      for (const [place, { what, who, session, number }] of acts.entries()) {
        const key = callKeyDetail({
          key: keyDigest({ origin: log.origin, principal: who }, `${number}`),
          request: HEX,
        });
        const detail = { principal: who };
        const labelled = { session_sensitivity_after: ["public", "pii", "mnpi"][number % 3] ?? null };
        switch (what) {
          case "label":
            instance.entry(session, { entry_type: "fault", ...labelled, detail });
            break;
          case "intent":
            instance.intent(session, `call-${number}`, { principal: who, ...key });
            break;
          case "call":
            instance.call(session, `call-${number}`, { ...labelled, detail: { ...detail, ...key } });
            break;
          case "reset":
            instance.entry(session, { entry_type: "session_reset", session_sensitivity_after: "public", detail });
            break;
          case "trip":
            instance.entry(session, {
              entry_type: "break_glass_used",
              detail: { reason: "kill_switch_triggered", agent_id: who },
            });
            break;
          case "unblock":
            instance.entry(session, {
              entry_type: "break_glass_used",
              detail: { reason: "kill_switch_unblocked", agent_id: who },
            });
            break;
          case "provision": {
            const tokens = [number.toString(16).padStart(64, "0")];
            const body: JournalStatement = {
              kind: "provision",
              body: {
                sequence: place + 1,
                principals: [{ principal: who, tokens }],
                credentials: [],
                ...(number % 2 === 0 ? {} : { statement: { ...STATEMENT, sequence: number } }),
              },
            };
            instance.write(body);
            break;
          }
          case "snapshot":
            instance.snapshot();
            break;
          case "boot":
          case "lost":
            instance = new WritingInstance(
              undefined,
              log,
              what === "boot" ? {} : { history: { state: "incomplete", reason: "unbelieved" } },
            );
            begin();
        }
      }
      const whole = new LogState();
      for (const [index, { statement, leaf }] of log.records.entries()) whole.apply(statement, writerOf(leaf), index);
      assert.deepEqual(facts(log.state), facts(whole));
      assert.deepEqual(facts(readBack(log)), facts(whole));
    }),
    { numRuns: 200 },
  );
});
