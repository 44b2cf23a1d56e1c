import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import * as fc from "fast-check";
import { Admission, type WhileAsking } from "./admission.ts";

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

/** Monotonic milliseconds that the test sets. */
class TestClock {
  at = 0;
  readonly now = (): number => this.at;
}

/** Starts requests of a principal until one has to wait. */
async function fill(admission: Admission, principal: string): Promise<Held[]> {
  const held: Held[] = [];
  do {
    held.push(new Held(admission, principal));
    await turn();
  } while (held.at(-1)?.started === true);
  return held;
}

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

/** A request that asks its agent when told to. */
class Asking {
  readonly answers: PromiseWithResolvers<void>[] = [];
  readonly done: Promise<unknown>;
  readonly #end = Promise.withResolvers<void>();
  aside: WhileAsking = async () => await Promise.reject(new Error("the request has not started"));
  started = false;

  constructor(admission: Admission, principal: string, signal: AbortSignal = forever) {
    this.done = admission.run(principal, signal, async (aside) => {
      this.started = true;
      this.aside = aside;
      await this.#end.promise;
    });
    this.done.catch(() => undefined);
  }

  /** Puts a question that stays open until the returned function is called; that resolves once the request goes on. */
  ask(): () => Promise<void> {
    const answer = Promise.withResolvers<void>();
    const going = this.aside(() => answer.promise);
    going.catch(() => undefined);
    return async () => {
      answer.resolve();
      await going;
    };
  }

  async end(): Promise<void> {
    this.#end.resolve();
    await this.done;
    await turn();
  }
}

test("a request whose agent is asked holds no slot, and waits for one after the answer", {
  timeout: 30_000,
}, async () => {
  const admission = new Admission({ maxRunning: 1 });
  const asking = new Asking(admission, "a");
  await turn();
  const answer = asking.ask();
  const other = new Held(admission, "b");
  await turn();
  assert.deepEqual(
    [other.started, admission.running, admission.questions],
    [true, 1, 1],
    "another principal runs while the question is open",
  );
  let goesOn = false;
  const answered = answer().then(() => (goesOn = true));
  await turn();
  assert.deepEqual([goesOn, admission.running], [false, 1], "no more run than may");
  await other.end();
  await answered;
  assert.deepEqual([admission.running, admission.questions], [1, 0]);
  await asking.end();
  assert.equal(admission.running, 0);
});

test("a question asked while its request waits for a slot does not make it wait twice", {
  timeout: 30_000,
}, async () => {
  const admission = new Admission({ maxRunning: 1 });
  const asking = new Asking(admission, "a");
  await turn();
  const answer = asking.ask();
  const other = new Held(admission, "b");
  await turn();
  const first = answer();
  await turn();
  const second = asking.ask()();
  await turn();
  assert.equal(admission.waiting, 1);
  await other.end();
  await Promise.all([first, second]);
  assert.equal(admission.running, 1);
  await asking.end();
  assert.equal(admission.running, 0);
});

test("questions have limits of their own, for each principal and in all", { timeout: 30_000 }, async () => {
  const admission = new Admission({ maxQuestions: 3, maxQuestionsPerPrincipal: 2 });
  const [one, two] = [new Asking(admission, "a"), new Asking(admission, "b")];
  await turn();
  const open = [one.ask(), one.ask()];
  await assert.rejects(
    one.aside(async () => undefined),
    { code: "OVERLOADED" },
  );
  open.push(two.ask());
  await assert.rejects(
    two.aside(async () => undefined),
    { code: "OVERLOADED" },
  );
  for (const answer of open) await answer();
  await two.ask()();
  await Promise.all([one.end(), two.end()]);
  assert.deepEqual([admission.running, admission.questions], [0, 0]);
});

test("a principal takes no more question slots than it leaves free, so that the next principal finds one", {
  timeout: 30_000,
}, async () => {
  const admission = new Admission({ maxQuestions: 16, maxQuestionsPerPrincipal: 12 });
  const taken: number[] = [];
  for (const principal of ["a", "b", "c"]) {
    const asking = new Asking(admission, principal);
    await turn();
    const before = admission.questions;
    for (let more = true; more; ) {
      const asked = asking
        .aside(() => new Promise<never>(() => undefined))
        .catch((error: { code?: string }) => error.code);
      more = (await Promise.race([asked, turn()])) !== "OVERLOADED";
    }
    taken.push(admission.questions - before);
  }
  assert.deepEqual(taken, [8, 4, 2]);
});

test("questions that outlive their requests still count for their principal", { timeout: 30_000 }, async () => {
  const admission = new Admission({ maxQuestionsPerPrincipal: 2 });
  const answers: (() => Promise<void>)[] = [];
  for (let request = 0; request < 2; request += 1) {
    const asking = new Asking(admission, "a");
    await turn();
    answers.push(asking.ask());
    await asking.end();
  }
  const third = new Asking(admission, "a");
  await turn();
  await assert.rejects(
    third.aside(async () => undefined),
    { code: "OVERLOADED" },
  );
  for (const answer of answers) await answer();
  await third.ask()();
  await third.end();
  await assert.rejects(
    third.aside(async () => undefined),
    { code: "REQUEST_CANCELLED" },
    "none begins after its request",
  );
  assert.deepEqual([admission.running, admission.questions], [0, 0]);
});

test("however questions overlap, fail and outlive their request, no count is left", {
  timeout: 30_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          principal: fc.constantFrom("a", "b"),
          questions: fc.array(fc.record({ turns: fc.nat(3), fails: fc.boolean(), awaited: fc.boolean() }), {
            maxLength: 4,
          }),
        }),
        { maxLength: 12 },
      ),
      fc.integer({ min: 1, max: 3 }),
      async (requests, maxRunning) => {
        const admission = new Admission({ maxRunning });
        const asides: Promise<unknown>[] = [];
        const all = requests.map(({ principal, questions }) =>
          admission.run(principal, forever, async (aside) => {
            for (const { turns, fails, awaited } of questions) {
              const asked = aside(async () => {
                for (let count = 0; count < turns; count += 1) await turn();
                if (fails) throw new Error("refused");
              });
              asides.push(asked);
              asked.catch(() => undefined);
              if (awaited) await asked.catch(() => undefined);
            }
          }),
        );
        await Promise.allSettled(all);
        await Promise.allSettled(asides);
        assert.deepEqual([admission.running, admission.questions, admission.waiting], [0, 0, 0]);
      },
    ),
    { numRuns: 100 },
  );
});

test("an agent that goes away with an open question holds no slot", {
  timeout: 30_000,
}, async () => {
  const admission = new Admission({ maxRunning: 1 });
  const leaving = new AbortController();
  const asking = new Asking(admission, "a", leaving.signal);
  await turn();
  const answer = asking.ask();
  const other = new Held(admission, "b");
  await turn();
  leaving.abort();
  await assert.rejects(answer(), { code: "REQUEST_CANCELLED" });
  await asking.end();
  assert.equal(admission.running, 1);
  await other.end();
  assert.equal(admission.running, 0);
});

test("shutdown waits for running requests, not for agents that are asked, and for a limited time", {
  timeout: 30_000,
}, async () => {
  const admission = new Admission();
  await admission.waitUntilIdle(60_000);
  const [running, asking] = [new Held(admission, "a"), new Asking(admission, "b")];
  await turn();
  const answer = asking.ask();
  let idle = false;
  const waited = admission.waitUntilIdle(60_000).then(() => (idle = true));
  await turn();
  assert.equal(idle, false);
  await running.end();
  await waited;
  await answer();
  await admission.waitUntilIdle(1);
  assert.equal(admission.running, 1, "given up after a while");
  await asking.end();
});
