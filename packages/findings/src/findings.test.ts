import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_COUNT, MAX_KINDS, Tally } from "./findings.ts";

test("values count once each, and a thousand of a class at most", () => {
  const tally = new Tally();
  for (let at = 0; at < MAX_COUNT + 5; at += 1)
    for (let time = 0; time < 2; time += 1) tally.add("secret", "token", `${at}`);
  tally.add("link", "image", "a");
  const { secrets, carryingLinks, kinds, hiddenText } = tally.findings(true);
  assert.deepEqual([secrets, carryingLinks, hiddenText], [1_000, 1, false]);
  assert.deepEqual(kinds, ["link:image", "secret:token"]);
});

test("64 kinds are named, and what more there is counts without a name", () => {
  const tally = new Tally();
  for (let at = 0; at < MAX_KINDS + 5; at += 1) tally.add("secret", `kind-${at}`, `${at}`);
  tally.add("hidden", "style", "style");
  const findings = tally.findings(false);
  assert.deepEqual([findings.kinds.length, findings.secrets, findings.hiddenText], [64, 69, true]);
  assert.equal(findings.complete, false);
});

test("the highest score stays", () => {
  const tally = new Tally();
  for (const score of [10, 80, 20]) tally.score(score);
  assert.equal(tally.findings(true).injectionScore, 80);
});
