/** How fast an exchange flows: writes gathered, slow readers. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { duplexPair, type Duplex } from "node:stream";
import { test, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { encodeFrame, type Frame, type Opening } from "./frame.ts";
import { MAX_DATA_BYTES } from "./limits.ts";
import { ExchangePool } from "./pool.ts";
import { collect, rawOpener, rawResponder, served } from "./testing/sockets.ts";

const request: Opening = { t: "request", method: "POST", path: "/mcp", headers: { accept: "application/json" } };

/** A pool on an in-memory stream whose far end is in the test's hands; each write arrives as one chunk. */
function paired(t: TestContext): { pool: ExchangePool; near: Duplex; far: Duplex } {
  const [near, far] = duplexPair();
  const pool = new ExchangePool({ address: "pair", dial: () => Promise.resolve(near) }, { maxStreams: 1 });
  t.after(() => pool.close());
  return { pool, near, far };
}

test("opening, body and end leave in one write, from a plain callback too", async (t) => {
  const { pool, far } = paired(t);
  const chunks: Buffer[] = [];
  far.on("data", (chunk: Buffer) => chunks.push(chunk));
  const one = async (): Promise<void> => {
    const exchange = await pool.open(request);
    await exchange.write(Buffer.from("a"));
    await exchange.end();
  };
  await one();
  await turn();
  assert.equal(chunks.length, 1);
  far.write(
    Buffer.concat([encodeFrame({ t: "response", x: 1, status: 200, headers: {} }), encodeFrame({ t: "end", x: 1 })]),
  );
  await turn();
  await new Promise<void>((resolve, reject) => {
    setImmediate(() => {
      void one().then(resolve, reject);
    });
  });
  await turn();
  assert.equal(chunks.length, 2);
});

test("a body is whole once its end has come, and neither before nor when it broke off", async (t) => {
  const { pool, far } = paired(t);
  far.resume();
  const first = await pool.open(request);
  await first.end();
  const part = (x: number): Uint8Array => encodeFrame({ t: "body", x, data: Uint8Array.of(1) });
  far.write(Buffer.concat([encodeFrame({ t: "response", x: 1, status: 200, headers: {} }), part(1)]));
  await first.head;
  assert.equal(first.body.whole(), null);
  far.write(Buffer.concat([part(1), encodeFrame({ t: "end", x: 1 })]));
  await turn();
  assert.equal(first.body.whole()?.length, 2);
  assert.equal((await collect(first.body)).length, 0, "what was taken whole is read");

  const second = await pool.open(request);
  far.write(Buffer.concat([encodeFrame({ t: "response", x: 2, status: 200, headers: {} }), part(2)]));
  await second.head;
  far.destroy();
  await turn();
  assert.equal(second.body.whole(), null);
  await assert.rejects(collect(second.body), { code: "WIRE_CLOSED" });
});

test("one large write does not fill memory when the peer does not read", async (t) => {
  const { pool, near } = paired(t);
  const exchange = await pool.open(request);
  const writing = exchange.write(Buffer.alloc(MAX_DATA_BYTES * 200));
  for (let turns = 0; turns < 50; turns += 1) await turn();
  assert.ok(near.writableLength < MAX_DATA_BYTES * 10, `${near.writableLength} bytes are queued`);
  exchange.abort();
  await assert.rejects(writing, { code: "REQUEST_CANCELLED" });
});

test("many small writes that nobody waits for do not fill memory either", async (t) => {
  const { pool, near } = paired(t);
  const exchange = await pool.open(request);
  const writing = Promise.allSettled(Array.from({ length: 200 }, () => exchange.write(Buffer.alloc(MAX_DATA_BYTES))));
  for (let turns = 0; turns < 50; turns += 1) await turn();
  assert.ok(near.writableLength < MAX_DATA_BYTES * 10, `${near.writableLength} bytes are queued`);
  exchange.abort();
  await writing;
});

test("what is written to a peer that does not read leaves in the order of the calls, the end last", async (t) => {
  const { pool, peer } = await rawResponder(t);
  const exchange = await pool.open(request);
  const far = await peer();
  far.socket.pause();
  const next = async (): Promise<Frame> => {
    const frame = await far.next();
    return frame === "closed" ? assert.fail("the stream ended") : frame;
  };
  const settled: string[] = [];
  const write = async (letter: string, bytes: number): Promise<void> => {
    await exchange.write(Buffer.alloc(bytes, letter));
    settled.push(letter);
  };
  // The first fills every buffer on the way; a write made when it is done still waits for those made before.
  const writing = [
    write("a", MAX_DATA_BYTES * 60).then(() => Promise.all([write("e", 5), exchange.end()])),
    write("b", 10),
    write("c", MAX_DATA_BYTES * 2 + 1),
    write("d", 1),
  ];
  for (let turns = 0; turns < 50; turns += 1) await turn();
  assert.deepEqual(settled, [], "nothing is taken that the peer has not read");
  far.socket.resume();
  await Promise.all(writing);
  assert.deepEqual(new Set(settled), new Set(["a", "b", "c", "d", "e"]));
  assert.equal((await next()).t, "request");
  let received = "";
  let frame = await next();
  for (; frame.t === "body"; frame = await next()) received += Buffer.from(frame.data).toString();
  assert.equal(frame.t, "end");
  assert.equal(received.replaceAll(/(.)\1*/g, "$1"), "abcde");
  assert.equal(received.length, MAX_DATA_BYTES * 62 + 17);
});

test("a write is done only when the peer has taken all of it, its last frame too", async (t) => {
  const { pool, near, far } = paired(t);
  const exchange = await pool.open(request);
  await turn();
  const frames = Math.ceil(near.writableHighWaterMark / MAX_DATA_BYTES) + 1;
  let taken = false;
  const writing = exchange.write(Buffer.alloc(MAX_DATA_BYTES * frames)).then(() => {
    taken = true;
  });
  for (let turns = 0; turns < 20; turns += 1) await turn();
  assert.ok(!taken);
  far.resume();
  await writing;
});

test("a write of one frame that fills the stream is done only when the peer has taken it", async (t) => {
  const { pool, near, far } = paired(t);
  const exchange = await pool.open(request);
  await turn();
  let taken = 0;
  const writing: Promise<void>[] = [];
  const write = async (): Promise<void> => {
    await exchange.write(Buffer.alloc(MAX_DATA_BYTES));
    taken += 1;
  };
  while (!near.writableNeedDrain) writing.push(write());
  for (let turns = 0; turns < 20; turns += 1) await turn();
  assert.equal(taken, writing.length - 1);
  far.resume();
  await Promise.all(writing);
});

test("a body whose reader leaves is read: nothing of it comes afterwards", async (t) => {
  const { pool, far } = paired(t);
  far.resume();
  const exchange = await pool.open(request);
  await exchange.end();
  const part = encodeFrame({ t: "body", x: 1, data: Uint8Array.of(1) });
  const opening = encodeFrame({ t: "response", x: 1, status: 200, headers: {} });
  far.write(Buffer.concat([opening, part, part, part, encodeFrame({ t: "end", x: 1 })]));
  await exchange.head;
  for await (const _ of exchange.body) break;
  assert.equal((await collect(exchange.body)).length, 0);
});

test("a body left unread does not stop the next exchange of its stream", async (t) => {
  const { pool, far } = paired(t);
  far.resume();
  const bodies = Array.from({ length: 200 }, () => encodeFrame({ t: "body", x: 1, data: Uint8Array.of(1) }));
  const first = await pool.open(request);
  await first.end();
  far.write(
    Buffer.concat([
      encodeFrame({ t: "response", x: 1, status: 200, headers: {} }),
      ...bodies,
      encodeFrame({ t: "end", x: 1 }),
    ]),
  );
  await first.head;
  const second = await pool.open(request);
  far.write(encodeFrame({ t: "response", x: 2, status: 204, headers: {} }));
  assert.equal((await second.head).status, 204);
  assert.equal((await collect(first.body)).length, 200);
});

test("a slow reader stops the writer within the buffers, and loses nothing", async (t) => {
  const total = MAX_DATA_BYTES * 200;
  let written = 0;
  const { pool } = await served(t, async (exchange) => {
    await exchange.respond({ status: 200, headers: {} });
    for (let sent = 0; sent < total; sent += MAX_DATA_BYTES) {
      await exchange.write(Buffer.alloc(MAX_DATA_BYTES, sent / MAX_DATA_BYTES));
      written = sent + MAX_DATA_BYTES;
    }
    await exchange.end();
  });
  const exchange = await pool.open(request);
  await exchange.end();
  await exchange.head;
  // The writer has stopped once turns of the event loop no longer move it.
  for (let still = 0, last = -1; still < 50; ) {
    await turn();
    still = written === last ? still + 1 : 0;
    last = written;
  }
  assert.ok(written < total / 4, `${written} bytes were taken from the writer with no reader`);
  assert.equal((await collect(exchange.body)).length, total);
});

test("a slow reader of the request stops the opener too", async (t) => {
  const total = MAX_DATA_BYTES * 200;
  const go = Promise.withResolvers<void>();
  const { pool } = await served(t, async (exchange) => {
    await go.promise;
    const { length } = await collect(exchange.body);
    await exchange.respond({ status: 200, headers: { "x-length": String(length) } });
    await exchange.end();
  });
  const exchange = await pool.open(request);
  let written = 0;
  const writing = (async () => {
    for (let sent = 0; sent < total; sent += MAX_DATA_BYTES) {
      await exchange.write(Buffer.alloc(MAX_DATA_BYTES));
      written += MAX_DATA_BYTES;
    }
    await exchange.end();
  })();
  for (let still = 0, last = -1; still < 50; ) {
    await turn();
    still = written === last ? still + 1 : 0;
    last = written;
  }
  assert.ok(written < total / 4, `${written} bytes were taken from the writer with no reader`);
  go.resolve();
  await writing;
  assert.equal((await exchange.head).headers["x-length"], String(total));
});

test("many one-byte frames pause a stream as well", async (t) => {
  const { path } = await served(t, async (exchange) => {
    await once(exchange.signal, "abort");
  });
  const raw = await rawOpener(t, path);
  raw.send({ t: "launch", x: 1 });
  const burst = Array.from({ length: 1000 }, () => ({ t: "body", x: 1, data: Uint8Array.of(1) }) as const);
  let taken = true;
  for (let round = 0; round < 400 && taken; round += 1) {
    raw.send(...burst);
    for (let turns = 0; turns < 10 && raw.socket.writableLength > 0; turns += 1) await turn();
    taken = raw.socket.writableLength < 64 * 1024;
  }
  assert.equal(taken, false, "the responder went on reading without a reader");
});
