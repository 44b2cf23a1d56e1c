import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import * as fc from "fast-check";
import { Admission } from "./admission.ts";

const forever = new AbortController().signal;

/** A request that ends when told to. */
class Held {
  readonly #end = Promise.withResolvers<void>();
  readonly done: Promise<unknown>;
  started = false;

  constructor(admission: Admission, principal: string, signal: AbortSignal = forever) {
    this.done = admission.run(principal, signal, async () => {
      this.started = true;
      await this.#end.promise;
    });
    this.done.catch(() => undefined);
  }

  async end(): Promise<void> {
    this.#end.resolve();
    await this.done;
    await turn();
  }
}

test("no more run than may, and principals take turns for what becomes free", async () => {
  const admission = new Admission({ maxRunning: 1, maxPerPrincipal: 10 });
  const first = new Held(admission, "many");
  const many = Array.from({ length: 5 }, () => new Held(admission, "many"));
  const few = new Held(admission, "few");
  await turn();
  assert.deepEqual([first.started, many[0]?.started, few.started, admission.running], [true, false, false, 1]);
  await first.end();
  await many[0]?.end();
  assert.deepEqual([many[1]?.started, few.started], [false, true], "one request of another principal is not behind all of the first");
  await few.end();
  assert.equal(many[1]?.started, true);
});

test("a principal has a bound of its own; others are not affected", async () => {
  const admission = new Admission({ maxRunning: 10, maxPerPrincipal: 2 });
  const held = [new Held(admission, "a"), new Held(admission, "a")];
  await assert.rejects(new Held(admission, "a").done, { code: "OVERLOADED" });
  const other = new Held(admission, "b");
  await turn();
  assert.ok(other.started);
  await held[0]?.end();
  const next = new Held(admission, "a");
  await turn();
  assert.ok(next.started);
});

test("who goes away while waiting does not run and takes no place", async () => {
  const admission = new Admission({ maxRunning: 1, maxPerPrincipal: 10 });
  const first = new Held(admission, "a");
  const leaving = new AbortController();
  const left = new Held(admission, "b", leaving.signal);
  const gone = new Held(admission, "b", AbortSignal.abort());
  leaving.abort();
  for (const one of [left, gone]) await assert.rejects(one.done, { code: "REQUEST_CANCELLED" });
  await first.end();
  const next = new Held(admission, "c");
  await turn();
  assert.deepEqual([left.started, next.started, admission.running], [false, true, 1]);
});

test("whatever comes and fails, everything runs once and nothing stays counted", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ principal: fc.constantFrom("a", "b", "c"), fails: fc.boolean(), turns: fc.nat(3) }), { maxLength: 40 }), fc.integer({ min: 1, max: 4 }), async (requests, maxRunning) => {
      const admission = new Admission({ maxRunning, maxPerPrincipal: 1_000 });
      let ran = 0;
      let most = 0;
      const all = requests.map(({ principal, fails, turns }) =>
        admission.run(principal, forever, async () => {
          ran += 1;
          most = Math.max(most, admission.running);
          for (let count = 0; count < turns; count += 1) await turn();
          if (fails) throw new Error("failed");
        }),
      );
      await Promise.allSettled(all);
      assert.equal(ran, requests.length);
      assert.ok(most <= maxRunning);
      assert.equal(admission.running, 0);
    }),
    { numRuns: 50 },
  );
});
