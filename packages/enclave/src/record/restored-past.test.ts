/** What a start restores from the log of past instances. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { killSwitchDetail } from "@cmcp/audit";
import { LOWEST_LABEL } from "@cmcp/session";
import { callerOf, HostStore, recordRoom } from "../testing/record-room.ts";
import { recoverInterrupted } from "./recovery.ts";
import { began, DAY, KNOWN, labelsIn, logOf, ranBefore, UNKNOWN } from "../testing/past-log.ts";

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
