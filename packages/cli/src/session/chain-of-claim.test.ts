import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { SessionChain, type AuditEntry } from "@cmcp/audit";
import { Instance, rehash, relink } from "../../../verify/src/testing/instance.ts";
import { claimOf, entriesOf, ISSUED_AT } from "../../../verify/src/testing/session.ts";
import { claimFollows } from "./chain-of-claim.ts";

const instance = new Instance();
const [FIRST, SECOND, THIRD] = [randomUUID(), randomUUID(), randomUUID()];

/** A chain of three sessions. */
function resetTwice(): AuditEntry[] {
  const chain = new SessionChain(FIRST, () => ISSUED_AT * 1000 - 60_000);
  const [{ detail }, { tool_name, policy_decision, effective_data_class, detail: of }] = entriesOf(instance) as [
    AuditEntry,
    AuditEntry,
  ];
  const called = { call_id: "call", tool_name, policy_decision, effective_data_class, detail: of };
  const reset = (closed_session_id: string, successor_session_id: string): AuditEntry =>
    chain.append({ entry_type: "session_reset", detail: { closed_session_id, successor_session_id } });
  return [
    chain.append({ entry_type: "session_start", session_sensitivity_after: "public", detail }),
    reset(FIRST, SECOND),
    chain.append({ ...called, entry_type: "tool_call" }),
    reset(SECOND, THIRD),
    chain.append({ entry_type: "session_end", session_sensitivity_after: "public" }),
  ];
}

const bundleOf = (entries: readonly AuditEntry[]): { [member: string]: never } =>
  JSON.parse(JSON.stringify({ session_id: THIRD, entries, bundle_signature: "" })) as { [member: string]: never };
const follows = (claimed: readonly AuditEntry[], exported: readonly AuditEntry[], session: string): boolean => {
  const claim = JSON.parse(JSON.stringify(claimOf(instance, claimed))) as { [member: string]: never };
  return claimFollows(claim, bundleOf(exported), session);
};

test("a claim follows each session whose resets lead to it", () => {
  const entries = resetTwice();
  for (const session of [FIRST, SECOND, THIRD]) assert.ok(follows(entries, entries, session));
  assert.ok(!follows(entries, entries, randomUUID()), "a session of another chain");
});

test("a claim follows none in a chain that is not the claim's, or is none", () => {
  const entries = resetTwice();
  const others: Record<string, readonly AuditEntry[]> = {
    "of another session": entriesOf(instance),
    "without its end": entries.slice(0, -1),
    "without its beginning": entries.slice(1),
    "of as many entries, with another end": relink(
      entries.map((entry, at) => (at === 4 ? { ...entry, call_id: "other" } : entry)),
    ),
    "with a changed entry": entries.map((entry, at) => (at === 1 ? { ...entry, call_id: "other" } : entry)),
    "with an entry of another chain": entries.map((entry, at) =>
      at === 1 ? rehash({ ...entry, call_id: "x" }) : entry,
    ),
  };
  for (const [what, exported] of Object.entries(others)) assert.ok(!follows(entries, exported, FIRST), what);
  assert.ok(!claimFollows({}, bundleOf(entries), FIRST), "no claim");
  assert.ok(!claimFollows(JSON.parse(JSON.stringify(claimOf(instance, entries))) as object as never, {}, FIRST));
});
