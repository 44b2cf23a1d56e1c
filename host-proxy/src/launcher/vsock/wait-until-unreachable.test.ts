import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { PassThrough, type Duplex } from "node:stream";
import { test, type TestContext } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import type { Dialer } from "@cmcp/wire";
import { waitUntilUnreachable, type WatchSettings } from "./wait-until-unreachable.ts";

const QUICK: WatchSettings = { everyMs: 10, dialMs: 10, attempts: 3 };
const NEVER: WatchSettings = { ...QUICK, everyMs: 3_600_000 };

const LOOKS = 5_000;
/** For what is never noticed. */
const BOUND = { timeout: 20_000 };

/** A signal that ends the watching with its test, however that ends. */
function ending(t: TestContext): AbortController {
  const over = new AbortController();
  t.after(() => over.abort());
  return over;
}

/** A machine that answers, refuses or says nothing. */
class Machine implements Dialer {
  readonly address = "a machine";
  readonly streams: Duplex[] = [];
  answer: "opens" | "refuses" | "stalls" = "opens";
  dials = 0;

  dial(signal: AbortSignal): Promise<Duplex> {
    this.dials += 1;
    if (this.answer === "refuses") return Promise.reject(new CmcpError("WIRE_UNREACHABLE", "nobody"));
    if (this.answer === "stalls")
      return new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(new CmcpError("REQUEST_CANCELLED", "gave up")), { once: true }),
      );
    const stream = new PassThrough();
    this.streams.push(stream);
    return Promise.resolve(stream);
  }

  async dialled(times: number): Promise<void> {
    for (let look = 0; this.dials < times; look += 1) {
      assert.ok(look < LOOKS, `dialled ${this.dials} times`);
      await delay(1);
    }
  }
}

test("a machine that ends is noticed at once, as its stream closes or ends", BOUND, async (t) => {
  for (const end of [(stream: Duplex) => stream.destroy(), (stream: Duplex) => stream.end()]) {
    const machine = new Machine();
    const noticed = waitUntilUnreachable(machine, ending(t).signal, NEVER);
    await machine.dialled(1);
    await delay(1);
    end(machine.streams[0] ?? assert.fail());
    await noticed;
    assert.equal(machine.dials, 1);
  }
});

test("a machine that answers is watched on, with one stream at a time", BOUND, async (t) => {
  const machine = new Machine();
  const over = ending(t);
  const watching = waitUntilUnreachable(machine, over.signal, QUICK);
  await machine.dialled(5);
  assert.ok(machine.streams.slice(0, -2).every(({ destroyed }) => destroyed));
  over.abort();
  await watching;
  await delay(1);
  assert.ok(
    machine.streams.every(({ destroyed }) => destroyed),
    "nothing is held after the end",
  );
});

test("watching can be ended at any time", BOUND, async (t) => {
  const machine = new Machine();
  const over = ending(t);
  const watching = waitUntilUnreachable(machine, over.signal, NEVER);
  await machine.dialled(1);
  await delay(1);
  over.abort();
  await watching;
  assert.ok(machine.streams.every(({ destroyed }) => destroyed));
  await waitUntilUnreachable(machine, over.signal, NEVER);
  assert.equal(machine.dials, 1, "and nothing is dialled after that");
});

test(
  "a daemon that stalls, and one that refuses, is given up after so many attempts, and not before",
  BOUND,
  async (t) => {
    for (const answer of ["stalls", "refuses"] as const) {
      const machine = new Machine();
      const noticed = waitUntilUnreachable(machine, ending(t).signal, QUICK);
      await machine.dialled(1);
      machine.answer = answer;
      await machine.dialled(3);
      machine.answer = "opens";
      await machine.dialled(6);
      machine.answer = answer;
      const before = machine.dials;
      await noticed;
      assert.ok(machine.dials - before >= QUICK.attempts, `${answer}: ${machine.dials - before} attempts`);
      assert.ok(machine.streams.every(({ destroyed }) => destroyed));
    }
  },
);

test("another machine at the same address is not taken for the one that was", BOUND, async (t) => {
  const machine = new Machine();
  const noticed = waitUntilUnreachable(machine, ending(t).signal, { ...QUICK, dialMs: 1_000 });
  await machine.dialled(1);
  machine.answer = "stalls";
  await machine.dialled(2);
  machine.streams[0]?.destroy();
  machine.answer = "opens";
  await noticed;
  assert.ok(machine.streams.every(({ destroyed }) => destroyed));
});
