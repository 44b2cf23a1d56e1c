import assert from "node:assert/strict";
import { test } from "node:test";
import { PERMIT_ALL, bundleOf } from "../test-support.ts";
import { requirePinned } from "./pins.ts";

const NOTHING = { hash: null, signingKey: null, reloadable: false };

test("a bundle is the pinned one, or nothing is pinned", () => {
  const bundle = bundleOf(PERMIT_ALL);
  requirePinned(bundle, NOTHING);
  requirePinned(bundle, { ...NOTHING, hash: bundle.hash });
  assert.throws(() => requirePinned(bundle, { ...NOTHING, hash: `sha256:${"0".repeat(64)}` }), {
    code: "POLICY_HASH_MISMATCH",
    message: new RegExp(bundle.hash),
  });
});

test("a bundle that nobody signed is none where a key is pinned", () => {
  assert.throws(() => requirePinned(bundleOf(PERMIT_ALL), { ...NOTHING, signingKey: "A".repeat(43) }), {
    code: "POLICY_SIGNATURE_INVALID",
  });
});

test("a version without an order is refused only where another may follow", () => {
  const bundle = { ...bundleOf(PERMIT_ALL), version: "1.0-beta" };
  requirePinned(bundle, NOTHING);
  assert.throws(() => requirePinned(bundle, { ...NOTHING, reloadable: true }), { code: "POLICY_BUNDLE_INVALID" });
});
