import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { EntryFields, SignedKillSwitch } from "@cmcp/audit";
import { KillSwitch } from "@cmcp/limits";
import { callerOf, entryIn, HostStore, ofSession, recordRoom } from "../testing/record-room.ts";
import { PrincipalStops } from "./principal-stops.ts";

function signed(purpose: SignedKillSwitch["statement"]["purpose"], principal = "alice"): SignedKillSwitch {
  const statement = { v: 1, purpose, instance: "i".repeat(43), principal, sequence: 1, reason: "why" } as const;
  return { statement, key: "k".repeat(43), signature: "s".repeat(86) };
}

async function setup(enabled = true) {
  const store = new HostStore();
  const room = recordRoom(store);
  await room.begin();
  const state = new KillSwitch({ windowMs: 1_000, denyRateThreshold: 1, minCalls: 2 }, () => 0);
  const { recorder, sessions, closing, journal, key } = room;
  const stops = new PrincipalStops({
    killSwitch: enabled ? { state, windowSeconds: 1 } : null,
    recorder,
    sessions,
    closing,
    journal,
    key,
    root: () => room.facts,
    now: () => Date.now(),
  });
  const open = async (label: string | null = null) => {
    const recorded = await sessions.openOrJoin(callerOf("alice"), label);
    await recorder.ensureStarted(recorded);
    return recorded;
  };
  const reasons = (session: string): unknown[] =>
    ofSession(store, session, "entry").map((held) => {
      const entry = entryIn(held);
      return (entry?.detail as Record<string, unknown> | null)?.["reason"] ?? entry?.entry_type;
    });
  return { store, room, state, stops, open, reasons };
}

const denial: EntryFields = {
  entry_type: "tool_call",
  policy_decision: "deny",
  call_id: "c",
  detail: { error_code: "POLICY_DENY" },
};

describe("stopping a principal", () => {
  test("counts what the record says, and nothing that says nothing about the principal", async () => {
    const { stops, open, state } = await setup();
    const recorded = await open();
    for (const code of ["KILL_SWITCH_TRIPPED", "RATE_LIMIT_EXCEEDED", "BUDGET_EXCEEDED", "OVERLOADED"])
      for (let call = 0; call < 3; call += 1) stops.count(recorded, { ...denial, detail: { error_code: code } });
    for (const decision of ["fault", "step_up", "defer"] as const)
      for (let call = 0; call < 3; call += 1) stops.count(recorded, { ...denial, policy_decision: decision });
    assert.equal(state.holdOf("alice"), null);
    stops.count(recorded, denial);
    stops.count(recorded, { ...denial, policy_decision: "advisory_deny" });
    assert.deepEqual(state.holdOf("alice"), { kind: "blocked", trigger: "deny_rate" });
  });

  test("closes every session of the principal, each with an entry that says why", async () => {
    const { stops, open, reasons, room } = await setup();
    const [first, second] = [await open("a"), await open("b")];
    for (let call = 0; call < 2; call += 1) stops.count(second, denial);
    for (const recorded of [first, second]) {
      const claim = await recorded.close?.claim;
      assert.equal(claim?.gateway.kill_switch_triggered, true);
      assert.deepEqual(reasons(recorded.session.id), ["session_start", "kill_switch_triggered", "session_end"]);
    }
    const receipt = stops.receiptFor(await open());
    assert.equal(receipt["session_id"], second.session.id, "the session of the crossing call");
    assert.match(JSON.stringify(receipt["claim_digest"]), /^"sha256:/);
    assert.equal(room.sessions.openSessions().length, 1);
  });

  test("by an operator is recorded also where no session is open, and so is the unblock", async () => {
    const { stops, store, state } = await setup();
    assert.equal(await stops.trip(signed("kill-switch-trip")), null);
    assert.equal(state.holdOf("alice")?.kind, "blocked");
    await stops.unblock(signed("kill-switch-unblock"));
    assert.equal(state.holdOf("alice"), null);
    const reasons = store.records.map((held) => (entryIn(held)?.detail as Record<string, unknown> | null)?.["reason"]);
    assert.deepEqual(
      reasons.filter((reason) => reason !== undefined),
      ["kill_switch_operator_trip", "kill_switch_unblocked"],
    );
  });

  test("is refused where there is no kill switch or no block", async () => {
    const { stops } = await setup(false);
    assert.equal(stops.holdOf("alice"), null);
    assert.throws(() => stops.assertApplicable(signed("kill-switch-trip")), { code: "KILL_SWITCH_DISABLED" });
    await assert.rejects(stops.trip(signed("kill-switch-trip")), { code: "KILL_SWITCH_DISABLED" });
    const enabled = await setup();
    assert.throws(() => enabled.stops.assertApplicable(signed("kill-switch-unblock")), { code: "NOT_BLOCKED" });
    await assert.rejects(enabled.stops.unblock(signed("kill-switch-unblock")), { code: "NOT_BLOCKED" });
  });
});
