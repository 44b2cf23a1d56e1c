import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import * as fc from "fast-check";
import { Admission } from "./admission.ts";
import { fill, forever, Held, TestClock } from "../testing/held-requests.ts";

test("at most the allowed number of requests run, and principals take turns for a free slot", {
  timeout: 30_000,
}, async () => {
  const clock = new TestClock();
  const admission = new Admission({ maxRunning: 1, maxPerPrincipal: 10 }, clock.now);
  const first = new Held(admission, "many");
  const many = Array.from({ length: 5 }, () => new Held(admission, "many"));
  await turn();
  clock.at = 10;
  const few = new Held(admission, "few");
  await turn();
  assert.deepEqual([first.started, many[0]?.started, few.started, admission.running], [true, false, false, 1]);
  clock.at = 20;
  await first.end();
  assert.deepEqual([many[0]?.started, few.started], [false, true], "who has waited goes before who has also run");
  clock.at = 30;
  await few.end();
  assert.deepEqual([many[0]?.started, many[1]?.started], [true, false]);
});

test("two principals that ask for every slot leave the third one", { timeout: 30_000 }, async () => {
  const admission = new Admission({ maxPerPrincipal: 300 });
  const held = [...(await fill(admission, "a")), ...(await fill(admission, "b"))];
  assert.deepEqual([admission.running, admission.waiting], [128 + 64, 2]);
  const third = new Held(admission, "c");
  await turn();
  assert.ok(third.started);
  for (const each of [...held, third]) await each.end();
  assert.equal(admission.running, 0);
});

test("when every slot is taken, a new principal gets the first free one, before a second of anybody else", {
  timeout: 30_000,
}, async () => {
  const clock = new TestClock();
  const admission = new Admission({ maxRunning: 8, maxPerPrincipal: 100 }, clock.now);
  const running: Held[] = [];
  for (let n = 0; n < 8; n += 1) running.push(new Held(admission, `p${n}`));
  const waiting = Array.from({ length: 8 }, (_, n) => new Held(admission, `p${n}`));
  await turn();
  clock.at = 1_000;
  const newcomer = new Held(admission, "newcomer");
  await turn();
  assert.deepEqual([newcomer.started, admission.running], [false, 8]);
  await running[0]?.end();
  assert.deepEqual([newcomer.started, waiting.some(({ started }) => started)], [true, false]);
});

test("a principal that holds slots for long waits longer", { timeout: 30_000 }, async () => {
  const clock = new TestClock();
  const admission = new Admission({ maxRunning: 1 }, clock.now);
  const slow = [new Held(admission, "slow"), new Held(admission, "slow")];
  const started: string[] = [];
  await turn();
  clock.at = 1_000;
  const fast = Array.from({ length: 20 }, () => new Held(admission, "fast"));
  await turn();
  await slow[0]?.end();
  for (const each of fast) {
    started.push(slow[1]?.started === true ? "slow" : "fast");
    clock.at += 10;
    if (each.started) await each.end();
  }
  assert.deepEqual(
    started,
    Array.from({ length: 20 }, () => "fast"),
  );
  assert.equal(slow[1]?.started, true, "once the others want nothing more");
});

test("whatever principals ask for, on any clock, each request starts, bounds hold, and nobody waits while a slot is open to them", {
  timeout: 30_000,
}, async () => {
  const request = fc.record({ principal: fc.constantFrom("a", "b", "c", "d"), ms: fc.nat(5_000), starts: fc.nat(500) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { maxLength: 60 }),
      fc.integer({ min: 1, max: 9 }),
      async (requests, maxRunning) => {
        const clock = new TestClock();
        const admission = new Admission({ maxRunning }, clock.now);
        const underWay: { readonly held: Held; readonly principal: string; readonly ms: number; since: number }[] = [];
        for (
          let open = requests.toSorted((x, y) => x.starts - y.starts);
          open.length + underWay.length > 0;
          clock.at += 50
        ) {
          for (const { principal, ms } of open.filter(({ starts }) => starts <= clock.at))
            underWay.push({ held: new Held(admission, principal), principal, ms, since: Infinity });
          open = open.filter(({ starts }) => starts > clock.at);
          await turn();
          for (const each of underWay) if (each.held.started && each.since === Infinity) each.since = clock.at;
          for (const each of underWay.filter(({ since, ms }) => clock.at - since >= ms)) {
            underWay.splice(underWay.indexOf(each), 1);
            await each.held.end();
          }
          const running = underWay.filter(({ held }) => held.started);
          assert.ok(admission.running === running.length && running.length <= maxRunning);
          const served = new Set(running.map(({ principal }) => principal));
          if (running.length < maxRunning) assert.ok(underWay.every(({ principal }) => served.has(principal)));
          assert.ok(clock.at < 60 * 6_000, "somebody starves");
        }
        assert.deepEqual([admission.running, admission.waiting], [0, 0]);
      },
    ),
    { numRuns: 40 },
  );
});

test("principals with equal balances take turns, even if the clock stands still", async () => {
  const admission = new Admission({ maxRunning: 1 }, () => 0);
  const order: string[] = [];
  const run = (name: string): Promise<unknown> => admission.run(name, forever, async () => void order.push(name));
  await Promise.all(["a", "a", "a", "b", "b", "c"].map(run));
  assert.deepEqual(order, ["a", "a", "b", "c", "a", "b"]);
});

test("a principal has a limit of its own, which does not affect others", { timeout: 30_000 }, async () => {
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

test("a request that is cancelled while waiting does not run and takes no slot", { timeout: 30_000 }, async () => {
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

test("whatever requests come and fail, each runs once and no count is left", { timeout: 30_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ principal: fc.constantFrom("a", "b", "c"), fails: fc.boolean(), turns: fc.nat(3) }), {
        maxLength: 40,
      }),
      fc.integer({ min: 1, max: 4 }),
      async (requests, maxRunning) => {
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
      },
    ),
    { numRuns: 50 },
  );
});
