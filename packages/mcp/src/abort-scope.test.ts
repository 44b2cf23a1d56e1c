import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { AbortScope, EndSignal } from "./abort-scope.ts";

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

test("that work is over is heard whenever it was asked for, and nothing listens before somebody does", () => {
  const within = new AbortController();
  const [asked, late, unasked] = [
    new EndSignal(within.signal),
    new EndSignal(within.signal),
    new EndSignal(within.signal),
  ];
  const { signal } = asked;
  assert.equal(signal, asked.signal);
  assert.deepEqual([signal.aborted, getEventListeners(within.signal, "abort").length], [false, 1]);
  for (const over of [asked, late, unasked]) over.end();
  assert.deepEqual(
    [signal.aborted, late.signal.aborted, getEventListeners(within.signal, "abort").length],
    [true, true, 0],
  );
});

test("work is over once what it is within is", () => {
  const within = new AbortController();
  const over = new EndSignal(within.signal);
  within.abort("gone");
  assert.equal(over.signal.reason, "gone");
});
