import assert from "node:assert/strict";
import { test } from "node:test";
import { raceAbort } from "./abort.ts";

test("an abort wins over a promise that is settled or never will be", async () => {
  const reason = new Error("stop");
  const aborted = AbortSignal.abort(reason);
  for (const promise of [Promise.resolve(1), new Promise(() => undefined)]) {
    await assert.rejects(raceAbort(promise, aborted), reason);
  }
  const later = new AbortController();
  const waiting = assert.rejects(raceAbort(new Promise(() => undefined), later.signal), reason);
  later.abort(reason);
  await waiting;
});

test("a promise that fails after the abort is no unhandled rejection", async () => {
  let fail: (error: Error) => void = () => undefined;
  const promise = new Promise<never>((_, reject) => (fail = reject));
  await assert.rejects(raceAbort(promise, AbortSignal.abort(new Error("stop"))), /stop/);
  fail(new Error("late"));
  await new Promise((resolve) => setImmediate(resolve));
});

test("without an abort the promise decides, and the signal is left without listeners", async () => {
  const { signal } = new AbortController();
  let listeners = 0;
  const count =
    (step: number): ((...args: Parameters<AbortSignal["addEventListener"]>) => void) =>
    () =>
      void (listeners += step);
  signal.addEventListener = count(1);
  signal.removeEventListener = count(-1);
  assert.equal(await raceAbort(Promise.resolve(1), signal), 1);
  assert.equal(listeners, 0);
});
