import assert from "node:assert/strict";
import { test } from "node:test";
import { renderVerdict } from "./index.ts";
import { NO_CONDITIONS } from "./session/conditions.ts";
import type { Verdict } from "./verdict.ts";

const accepted: Verdict = {
  outcome: "accepted",
  completeness: "closed session",
  assurance: "functional only",
  origin: "trusted key",
  coveredEntries: 8,
  conditions: {
    mode: "enforcing",
    isolation: "network-namespace",
    channel: "plain",
    sealKeys: [],
    history: "incomplete",
    provisioning: "unsigned",
    storage: "none",
    restoredFrom: [],
    advisoryDenials: 0,
  },
  session: "s",
  signingKey: "k",
  checks: [{ name: "audit chain", status: "passed", why: "8 entries" }],
};
const CONDITIONS =
  "closed session, 8 entries; assurance: functional only; mode: enforcing; isolation: network-namespace; " +
  "channel: plain; history: incomplete; advisory denials: 0";
const lines = (verdict: Verdict): string[] => renderVerdict(verdict).map(({ tone, text }) => `${tone} ${text}`);

test("what anybody could have made is not called accepted alone, nor in green", () => {
  const [first, second] = lines({ ...accepted, origin: "not proven", session: null, signingKey: null });
  assert.equal(first, `plain ACCEPTED, ORIGIN NOT PROVEN (${CONDITIONS})`);
  assert.match(second ?? "", /^plain origin {2}not proven: .*anybody.*--trusted-key/);
});

test("an accepted record names what shows who made it, and a rejected one says nothing of it", () => {
  assert.deepEqual(lines(accepted), [
    `good ACCEPTED (${CONDITIONS})`,
    "plain origin  trusted key",
    "plain session s",
    "plain key     k",
    "good   passed        audit chain: 8 entries",
  ]);
  const rejected = lines({ ...accepted, outcome: "rejected", origin: "not proven", assurance: "none established" });
  assert.equal(rejected[0], "bad REJECTED (closed session, 8 entries; assurance: none established)");
  assert.doesNotMatch(rejected.join("\n"), /origin/);
});

test("what no signature says is called unknown, and a rejected record says nothing of its session", () => {
  const [first] = lines({ ...accepted, completeness: "unknown", coveredEntries: null, conditions: NO_CONDITIONS });
  assert.equal(
    first,
    "good ACCEPTED (unknown; assurance: functional only; mode: unknown; isolation: unknown; channel: unknown; " +
      "history: unknown; advisory denials: unknown)",
  );
  assert.doesNotMatch(lines({ ...accepted, outcome: "rejected" })[0] ?? "", /mode|denials/);
});
