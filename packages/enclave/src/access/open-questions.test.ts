import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import * as fc from "fast-check";
import { Admission, type WhileAsking } from "./admission.ts";
import { forever, Held } from "../testing/held-requests.ts";

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
