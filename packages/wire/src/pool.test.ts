import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { examine } from "@cmcp/boundary";
import type { IncomingExchange } from "./exchange.ts";
import type { Opening } from "./frame.ts";
import { MAX_POOL_WAITERS } from "./limits.ts";
import { ExchangePool } from "./pool.ts";
import { collect, rawResponder, served, socketPath } from "./testing/sockets.ts";
import { unixDialer } from "./transport/unix.ts";

const drain: Opening = { t: "drain" };

async function answer(exchange: IncomingExchange): Promise<void> {
  await exchange.respond({ status: 200, headers: {} });
  for await (const chunk of exchange.body) await exchange.write(examine(chunk));
  await exchange.end();
}

test("a stream is used again only after both sides sent end", async (t) => {
  const { pool, peer } = await rawResponder(t);
  const first = await pool.open(drain);
  const one = await peer();
  one.send({ t: "response", x: 1, status: 200, headers: {} }, { t: "end", x: 1 });
  await collect(first.body);

  const second = await pool.open(drain);
  const two = await peer();
  await second.end();
  assert.deepEqual(
    [await two.next(), await two.next()],
    [
      { t: "drain", x: 1 },
      { t: "end", x: 1 },
    ],
  );
  two.send({ t: "response", x: 1, status: 200, headers: {} });
  await second.head;

  await pool.open(drain);
  const three = await peer();
  assert.deepEqual(
    await three.next(),
    { t: "drain", x: 1 },
    "the first has no end from us, the second none from the peer",
  );

  two.send({ t: "end", x: 1 });
  await collect(second.body);
  await pool.open(drain);
  assert.deepEqual(await two.next(), { t: "drain", x: 2 });
});

test("no more streams than the bound are open, and those who wait are served in order", async (t) => {
  let alive = 0;
  let most = 0;
  const { pool, streams } = await served(
    t,
    async (exchange) => {
      alive += 1;
      most = Math.max(most, alive);
      await turn();
      alive -= 1;
      await answer(exchange);
    },
    { pool: { maxStreams: 3 } },
  );
  const order: number[] = [];
  await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const exchange = await pool.open(drain);
      order.push(index);
      await exchange.end();
      await collect(exchange.body);
    }),
  );
  assert.equal(streams(), 3);
  assert.ok(most <= 3);
  assert.deepEqual(
    order,
    [...order].sort((a, b) => a - b),
  );
});

test("a stream that breaks makes room for one who waits", async (t) => {
  const { pool, streams } = await served(t, answer, { pool: { maxStreams: 1 } });
  const first = await pool.open(drain);
  const waiting = pool.open(drain);
  await turn();
  first.abort();
  const second = await waiting;
  await second.end();
  await collect(second.body);
  assert.equal(streams(), 2);
});

test("waiting ends with the signal, with time, and with the pool", async (t) => {
  const { pool } = await served(t, answer, { pool: { maxStreams: 1 } });
  await pool.open(drain);
  const cancel = new AbortController();
  const cancelled = pool.open(drain, cancel.signal);
  await turn();
  cancel.abort();
  await assert.rejects(cancelled, { code: "REQUEST_CANCELLED" });
  const left = pool.open(drain);
  await turn();
  await pool.close();
  await assert.rejects(left, { code: "WIRE_CLOSED" });
  await assert.rejects(pool.open(drain), { code: "WIRE_CLOSED" });

  const { pool: hasty } = await served(
    t,
    async (exchange) => {
      // Keeps the stream moving, so that only the wait runs out.
      await exchange.respond({ status: 200, headers: {} });
      while (!exchange.signal.aborted) {
        await exchange.write(Uint8Array.of(1));
        await turn();
      }
    },
    { pool: { maxStreams: 1, idleMs: 100 } },
  );
  const busy = await hasty.open({ t: "request", method: "GET", path: "/", headers: {} });
  const reading = collect(busy.body);
  await assert.rejects(hasty.open(drain), { code: "OVERLOADED" });
  busy.abort();
  await assert.rejects(reading, { code: "REQUEST_CANCELLED" });
});

test("whoever gave up waiting takes no stream from those who wait, and leaves nothing on its signal", async (t) => {
  const { pool, peer } = await rawResponder(t, { maxStreams: 1 });
  const first = await pool.open(drain);
  await first.end();
  const [cancel, patient] = [new AbortController(), new AbortController()];
  const givingUp = pool.open(drain, cancel.signal);
  const waiting = pool.open(drain, patient.signal);
  await turn();
  assert.equal(getEventListeners(patient.signal, "abort").length, 1);
  cancel.abort();
  await assert.rejects(givingUp, { code: "REQUEST_CANCELLED" });
  const one = await peer();
  one.send({ t: "response", x: 1, status: 200, headers: {} }, { t: "end", x: 1 });
  const second = await waiting;
  assert.equal(getEventListeners(patient.signal, "abort").length, 1, "the exchange's own");
  await second.end();
  one.send({ t: "response", x: 2, status: 200, headers: {} }, { t: "end", x: 2 });
  await collect(second.body);
  assert.equal(getEventListeners(patient.signal, "abort").length, 0);
});

test("a pool that is closed dials nobody", async () => {
  let dials = 0;
  const dial = (): Promise<never> => {
    dials += 1;
    return Promise.reject(new Error("nobody is there"));
  };
  const pool = new ExchangePool({ address: "counted", dial }, { maxStreams: 1 });
  await assert.rejects(pool.open(drain), { code: "WIRE_UNREACHABLE", message: /counted/ });
  await assert.rejects(pool.open(drain, AbortSignal.abort()), { code: "REQUEST_CANCELLED" });
  await pool.close();
  await assert.rejects(pool.open(drain), { code: "WIRE_CLOSED" });
  assert.equal(dials, 1);
});

test("a stream that is dialled when the pool is closed is closed too, even if the dialer ignores its signal", async (t) => {
  const { pool: unused, peer, path } = await rawResponder(t);
  await unused.close();
  const pool: ExchangePool = new ExchangePool(
    {
      address: "ignores its signal",
      dial: async () => {
        const stream = await unixDialer(path).dial(new AbortController().signal);
        await pool.close();
        return stream;
      },
    },
    { maxStreams: 1 },
  );
  await assert.rejects(pool.open(drain), { code: "WIRE_CLOSED" });
  assert.equal(await (await peer()).next(), "closed");
});

test("a bounded number may wait", async (t) => {
  assert.equal(MAX_POOL_WAITERS, 1_024);
  const { pool } = await served(t, answer, { pool: { maxStreams: 1 } });
  await pool.open(drain);
  const waiting = Array.from({ length: MAX_POOL_WAITERS }, () => pool.open(drain));
  await assert.rejects(pool.open(drain), { code: "OVERLOADED" });
  await pool.close();
  for (const result of await Promise.allSettled(waiting)) assert.equal(result.status, "rejected");
});

test("closing the pool fails the exchanges in progress", async (t) => {
  const { pool } = await served(t, answer);
  const exchange = await pool.open(drain);
  await exchange.head;
  await pool.close();
  await assert.rejects(collect(exchange.body), { code: "WIRE_CLOSED" });
  await assert.rejects(exchange.end(), { code: "WIRE_CLOSED" });
});

test("nothing to connect to is WIRE_UNREACHABLE, and leaves the pool usable", async (t) => {
  const path = await socketPath(t);
  const pool = new ExchangePool(unixDialer(path), { maxStreams: 1 });
  await assert.rejects(pool.open(drain), { code: "WIRE_UNREACHABLE" });
  await assert.rejects(pool.open(drain), { code: "WIRE_UNREACHABLE" });
  await pool.close();
});

test("an opening the wire does not carry is refused without costing a stream", async (t) => {
  const { pool, streams } = await served(t, answer);
  for (const path of ["relative", "/a b"]) {
    await assert.rejects(pool.open({ t: "request", method: "GET", path, headers: {} }), { code: "WIRE_MALFORMED" });
  }
  const exchange = await pool.open({ t: "request", method: "GET", path: "/", headers: {} });
  await exchange.end();
  assert.equal((await exchange.head).status, 200);
  await collect(exchange.body);
  assert.equal(streams(), 1);
});

test("a pooled stream the peer closes is not handed out", async (t) => {
  const { pool, peer } = await rawResponder(t);
  const first = await pool.open(drain);
  await first.end();
  const one = await peer();
  one.send({ t: "response", x: 1, status: 200, headers: {} }, { t: "end", x: 1 });
  await collect(first.body);
  one.socket.end();
  while ((await one.next()) !== "closed");
  const second = await pool.open(drain);
  const two = await peer();
  two.send({ t: "response", x: 1, status: 200, headers: {} });
  assert.equal((await second.head).status, 200);
});

test("a pooled stream nobody uses is closed in half the time an exchange may stand still", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { pool, peer } = await rawResponder(t, { idleMs: 1000 });
  const first = await pool.open(drain);
  await first.end();
  const one = await peer();
  one.send({ t: "response", x: 1, status: 200, headers: {} }, { t: "end", x: 1 });
  await collect(first.body);
  t.mock.timers.tick(500);
  while ((await one.next()) !== "closed");
});

test("an exchange may stand still for longer than a stream may go unused", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { pool, peer } = await rawResponder(t, { idleMs: 1000 });
  const exchange = await pool.open(drain);
  await exchange.end();
  const one = await peer();
  t.mock.timers.tick(900);
  one.send({ t: "response", x: 1, status: 200, headers: {} }, { t: "end", x: 1 });
  assert.equal((await exchange.head).status, 200);
});

test("a stream that breaks right after it became free is not handed to one who waits", async (t) => {
  const { pool, peer } = await rawResponder(t, { maxStreams: 1 });
  const first = await pool.open(drain);
  await first.end();
  const waiting = pool.open(drain);
  const one = await peer();
  one.send({ t: "response", x: 1, status: 200, headers: {} }, { t: "end", x: 1 }, { t: "end", x: 1 });
  const second = await waiting;
  (await peer()).send({ t: "response", x: 1, status: 204, headers: {} });
  assert.equal((await second.head).status, 204);
});

test("one who waits does not wait for a stream that could not be opened", async (t) => {
  const pool = new ExchangePool(unixDialer(await socketPath(t)), { maxStreams: 1 });
  const both = await Promise.allSettled([pool.open(drain), pool.open(drain)]);
  for (const result of both)
    assert.equal(result.status === "rejected" && (result.reason as { code: string }).code, "WIRE_UNREACHABLE");
  await pool.close();
});

test("a signal reaches the dialer, and counts even if the dialer ignores it", async (t) => {
  const { pool: unused, peer, path } = await rawResponder(t);
  await unused.close();
  const cancel = new AbortController();
  let seen: AbortSignal | undefined;
  const pool = new ExchangePool(
    {
      address: "ignores its signal",
      dial: async (signal) => {
        seen = signal;
        cancel.abort();
        return await unixDialer(path).dial(new AbortController().signal);
      },
    },
    { maxStreams: 1 },
  );
  t.after(() => pool.close());
  await assert.rejects(pool.open(drain, cancel.signal), { code: "REQUEST_CANCELLED" });
  assert.equal(seen?.aborted, true);
  await pool.open(drain);
  assert.deepEqual(
    await (await peer()).next(),
    { t: "drain", x: 1 },
    "its stream was kept, and nothing was sent on it before",
  );
});
