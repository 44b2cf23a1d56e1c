import assert from "node:assert/strict";
import { test } from "node:test";
import { NONCE_PERIOD_MS } from "../limits.ts";
import { ProofFreshness } from "./freshness.ts";

function scene(maxProofs?: number): { readonly fresh: ProofFreshness; readonly at: (ms: number) => void } {
  let now = 1_000;
  const fresh = new ProofFreshness(() => now, maxProofs);
  return { fresh, at: (ms) => void (now = 1_000 + ms) };
}

const stale = { code: "UNAUTHENTICATED", detail: { proof: "nonce" } } as const;
const used = { code: "UNAUTHENTICATED", detail: { proof: "replayed" } } as const;

test("a nonce is this instance's, is given out for a period, and counts for one more", () => {
  const { fresh, at } = scene();
  const first = fresh.nonce;
  assert.throws(() => fresh.use("", "desk", "a"), stale);
  assert.throws(() => fresh.use(scene().fresh.nonce, "desk", "a"), stale, "of another instance");
  fresh.use(first, "desk", "a");
  at(NONCE_PERIOD_MS);
  assert.notEqual(fresh.nonce, first);
  fresh.use(first, "desk", "b");
  fresh.use(fresh.nonce, "desk", "c");
  at(2 * NONCE_PERIOD_MS);
  assert.throws(() => fresh.use(first, "desk", "d"), stale);
});

test("after a silence of two periods no earlier nonce counts", () => {
  const { fresh, at } = scene();
  const first = fresh.nonce;
  at(2 * NONCE_PERIOD_MS);
  assert.throws(() => fresh.use(first, "desk", "a"), stale);
});

test("a proof is used once, for as long as its nonce counts", () => {
  const { fresh, at } = scene();
  const first = fresh.nonce;
  fresh.use(first, "desk", "a");
  assert.throws(() => fresh.use(first, "desk", "a"), used);
  assert.throws(() => fresh.use(first, "other", "a"), used);
  at(NONCE_PERIOD_MS);
  assert.throws(() => fresh.use(first, "desk", "a"), used);
});

test("what is remembered is bounded, one principal leaves room for others, and a new nonce brings new room", () => {
  const { fresh, at } = scene(16);
  let mine = 0;
  assert.throws(
    () => {
      for (; mine < 16; mine += 1) fresh.use(fresh.nonce, "desk", `mine-${mine}`);
    },
    { code: "OVERLOADED" },
  );
  assert.ok(mine > 0 && mine < 16);
  fresh.use(fresh.nonce, "other", "theirs");
  assert.throws(() => fresh.use(fresh.nonce, "desk", "mine-0"), used, "nothing is forgotten for want of room");
  at(NONCE_PERIOD_MS);
  fresh.use(fresh.nonce, "desk", "next");
});
