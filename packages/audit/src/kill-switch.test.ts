import assert from "node:assert/strict";
import { test } from "node:test";
import {
  killSwitchDetail,
  killSwitchEvent,
  killSwitchStatementOf,
  type KillSwitchStatement,
  type SignedKillSwitch,
} from "./kill-switch.ts";
import type { AuditEntry } from "./entry.ts";
import { WritingInstance } from "./testing/instance.ts";

const A = "0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90";

function signed(instance: string, purpose: KillSwitchStatement["purpose"]): SignedKillSwitch {
  const statement: KillSwitchStatement = { v: 1, purpose, instance, principal: "alice", sequence: 3, reason: "why" };
  return { statement, key: "k".repeat(43), signature: "s".repeat(86) };
}

/** A session's journal with one entry for each of these. */
function journalOf(acts: readonly ("tripped" | "trip" | "unblock")[]) {
  const instance = new WritingInstance();
  instance.start(A, { principal: "alice" });
  const entries = acts.map((act) =>
    instance.entry(A, {
      entry_type: "break_glass_used",
      detail:
        act === "tripped"
          ? { reason: "kill_switch_triggered", agent_id: "alice" }
          : killSwitchDetail(signed(instance.name, `kill-switch-${act}`)),
    }),
  );
  return { instance, entries };
}

test("an entry has the whole signed statement, for its own instance only", () => {
  const { instance, entries } = journalOf(["trip", "unblock", "tripped"]);
  const [trip, unblock, tripped] = entries as [AuditEntry, AuditEntry, AuditEntry];
  assert.deepEqual(killSwitchStatementOf(trip, instance.name), signed(instance.name, "kill-switch-trip"));
  assert.deepEqual(killSwitchStatementOf(unblock, instance.name), signed(instance.name, "kill-switch-unblock"));
  assert.equal(killSwitchStatementOf(tripped, instance.name), null);
  assert.equal(killSwitchStatementOf(trip, 1), null);
  assert.deepEqual(killSwitchEvent(tripped), { principal: "alice", kind: "tripped" });
  assert.equal(killSwitchEvent({ ...trip, entry_type: "fault" }), null);
  assert.equal(killSwitchEvent({ ...trip, detail: { reason: "other", agent_id: "alice" } }), null);
});

test("a log's state tells who is blocked, by the last trip or unblock", () => {
  assert.deepEqual([...journalOf(["tripped", "unblock", "trip"]).instance.log.state.blocked], ["alice"]);
  assert.deepEqual([...journalOf(["tripped", "trip", "unblock"]).instance.log.state.blocked], []);
});
