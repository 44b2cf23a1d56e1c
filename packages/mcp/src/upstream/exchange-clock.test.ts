import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import { ExchangeClock } from "./exchange-clock.ts";

describe("the clock of an exchange", () => {
  let time = 0;
  let overdue: (readonly [string, number])[] = [];

  beforeEach(() => {
    mock.timers.enable({ apis: ["setTimeout"] });
    time = 0;
    overdue = [];
  });
  afterEach(() => mock.timers.reset());

  const clock = (totalMs: number): ExchangeClock =>
    new ExchangeClock(
      totalMs,
      (what, waitedMs) => overdue.push([what, waitedMs]),
      () => time,
    );
  const pass = (ms: number): void => {
    for (let step = 0; step < ms; step += 1) {
      time += 1;
      mock.timers.tick(1);
    }
  };

  test("what comes in time extends the wait, however often", () => {
    const waiting = clock(1_000);
    for (let piece = 0; piece < 10; piece += 1) {
      waiting.wait(50, `piece ${piece}`);
      pass(40);
    }
    assert.deepEqual(overdue, []);
    pass(20);
    assert.deepEqual(overdue, [["piece 9", 50]]);
  });

  test("a shorter wait is over in its own time", () => {
    const waiting = clock(1_000);
    waiting.wait(500, "long");
    pass(10);
    waiting.wait(20, "short");
    pass(19);
    assert.deepEqual(overdue, []);
    pass(1);
    assert.deepEqual(overdue, [["short", 20]]);
  });

  test("no wait goes beyond the deadline for all of it", () => {
    const waiting = clock(100);
    for (let piece = 0; piece < 4; piece += 1) {
      waiting.wait(50, "more");
      pass(30);
    }
    assert.deepEqual(overdue, [["more", 10]]);
  });

  test("it stands still while others do their part, once for all of them, and the deadline moves by as much", async () => {
    const waiting = clock(100);
    waiting.wait(50, "the server");
    pass(10);
    const parts = [Promise.withResolvers<number>(), Promise.withResolvers<number>()] as const;
    const hold = (promise: Promise<number>): Promise<number> =>
      waiting.hold(promise, () => waiting.wait(50, "the rest"));
    const first = hold(parts[0].promise);
    pass(200);
    const second = hold(parts[1].promise);
    pass(200);
    parts[0].resolve(1);
    await first;
    assert.ok(waiting.standing);
    pass(200);
    assert.deepEqual(overdue, []);
    parts[1].resolve(2);
    assert.equal(await second, 2);
    assert.ok(!waiting.standing);
    waiting.wait(500, "all of it");
    pass(89);
    assert.deepEqual(overdue, []);
    pass(1);
    assert.deepEqual(overdue, [["all of it", 90]]);
  });

  test("once stopped it says nothing", () => {
    const waiting = clock(100);
    waiting.wait(50, "anything");
    waiting.stop();
    pass(200);
    assert.deepEqual(overdue, []);
  });
});
