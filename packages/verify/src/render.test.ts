import assert from "node:assert/strict";
import { test } from "node:test";
import { renderVerdict } from "./index.ts";
import type { Verdict } from "./verdict.ts";

const accepted: Verdict = {
  outcome: "accepted",
  completeness: "closed session",
  assurance: "functional only",
  origin: "trusted key",
  session: "s",
  signingKey: "k",
  checks: [{ name: "audit chain", status: "passed", why: "8 entries" }],
};
const lines = (verdict: Verdict): string[] => renderVerdict(verdict).map(({ tone, text }) => `${tone} ${text}`);

test("what anybody could have made is not called accepted alone, nor in green", () => {
  const [first, second] = lines({ ...accepted, origin: "not proven", session: null, signingKey: null });
  assert.equal(first, "plain ACCEPTED, ORIGIN NOT PROVEN (closed session; assurance: functional only)");
  assert.match(second ?? "", /^plain origin {2}not proven: .*anybody.*--trusted-key/);
});

test("an accepted record names what shows who made it, and a rejected one says nothing of it", () => {
  assert.deepEqual(lines(accepted), [
    "good ACCEPTED (closed session; assurance: functional only)",
    "plain origin  trusted key",
    "plain session s",
    "plain key     k",
    "good   passed        audit chain: 8 entries",
  ]);
  const rejected = lines({ ...accepted, outcome: "rejected", origin: "not proven", assurance: "none established" });
  assert.equal(rejected[0], "bad REJECTED (closed session; assurance: none established)");
  assert.doesNotMatch(rejected.join("\n"), /origin/);
});
