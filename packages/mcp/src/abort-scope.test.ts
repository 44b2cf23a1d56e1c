import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { AbortScope } from "./abort-scope.ts";

test("a scope aborts with its signal, for its reason, also when that aborted before", () => {
  const outer = new AbortController();
  const scope = new AbortScope(outer.signal);
  assert.equal(scope.signal.aborted, false);
  outer.abort("gone");
  assert.equal(scope.signal.reason, "gone");
  assert.equal(new AbortScope(outer.signal).signal.reason, "gone");
});

test("a scope aborts alone", () => {
  const outer = new AbortController();
  const scope = new AbortScope(outer.signal);
  scope.abort("enough");
  assert.deepEqual([scope.signal.reason, outer.signal.aborted], ["enough", false]);
});

test("a released scope leaves nothing at its signal", () => {
  const outer = new AbortController();
  const scope = new AbortScope(outer.signal);
  scope.release();
  assert.equal(getEventListeners(outer.signal, "abort").length, 0);
  outer.abort();
  assert.equal(scope.signal.aborted, false);
});
