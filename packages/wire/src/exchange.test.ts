import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import { duplexPair, type Duplex } from "node:stream";
import { test, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { CmcpError, examine } from "@cmcp/boundary";
import type { IncomingExchange } from "./exchange.ts";
import { encodeFrame, type Opening } from "./frame.ts";
import { BODY_LIMITS, MAX_DATA_BYTES, MAX_ERROR_MESSAGE } from "./limits.ts";
import { ExchangePool } from "./pool.ts";
import { collect, rawOpener, rawResponder, served } from "./testing/sockets.ts";

const request: Opening = { t: "request", method: "POST", path: "/mcp", headers: { accept: "application/json" } };

async function echo(exchange: IncomingExchange): Promise<void> {
  await exchange.respond({ status: 200, headers: { "x-kind": exchange.opening.t } });
  for await (const chunk of exchange.body) await exchange.write(examine(chunk));
  await exchange.end();
}

test("a request and its answer cross a Unix socket", async (t) => {
  const openings: Opening[] = [];
  const { pool } = await served(t, async (exchange) => {
    openings.push(exchange.opening);
    const body = await collect(exchange.body);
    await exchange.respond({ status: 201, headers: { "content-type": "text/plain" } });
    await exchange.write(Buffer.from(`got ${body.toString()}`));
    await exchange.end();
  });
  const exchange = await pool.open(request);
  await exchange.write(Buffer.from("hello "));
  await exchange.write(new Uint8Array(0));
  await exchange.write(Buffer.from("there"));
  await exchange.end();
  assert.deepEqual(await exchange.head, { status: 201, headers: { "content-type": "text/plain" } });
  assert.equal((await collect(exchange.body)).toString(), "got hello there");
  assert.deepEqual(openings, [request]);
});

test("every kind of opening arrives as it was sent", async (t) => {
  const openings: Opening[] = [
    { t: "launch" },
    { t: "provision" },
    { t: "drain" },
    request,
    { t: "egress", host: "tools.example", port: 443 },
    { t: "append", instance: "i", seq: Number.MAX_SAFE_INTEGER },
    { t: "scan" },
    { t: "scan", instance: "i", session: "s", kind: "k" },
  ];
  const seen: Opening[] = [];
  const { pool, streams } = await served(t, async (exchange) => {
    seen.push(exchange.opening);
    await echo(exchange);
  });
  for (const opening of openings) {
    const exchange = await pool.open(opening);
    await exchange.end();
    assert.equal((await collect(exchange.body)).length, 0);
  }
  assert.deepEqual(seen, openings);
  assert.equal(streams(), 1, "one pooled stream carried them all");
});

test("both bodies flow at once, and a half that has ended does not end the other", async (t) => {
  const { pool } = await served(t, echo);
  const exchange = await pool.open({ t: "egress", host: "a.example", port: 1 });
  const body = exchange.body[Symbol.asyncIterator]();
  for (const word of ["one", "two", "three"]) {
    await exchange.write(Buffer.from(word));
    const { value } = await body.next();
    assert.equal(Buffer.from(examine(value)).toString(), word);
  }
  await exchange.end();
  assert.equal((await body.next()).done, true);
});

test("the responder may end before the opener", async (t) => {
  const late = Promise.withResolvers<string>();
  const { pool, streams } = await served(t, async (exchange) => {
    await exchange.respond({ status: 200, headers: {} });
    await exchange.end();
    if (exchange.opening.t === "egress") late.resolve((await collect(exchange.body)).toString());
  });
  const exchange = await pool.open({ t: "egress", host: "a.example", port: 1 });
  assert.equal((await collect(exchange.body)).length, 0);
  await exchange.write(Buffer.from("still heard"));
  await exchange.end();
  assert.equal(await late.promise, "still heard");
  const next = await pool.open(request);
  await next.end();
  await collect(next.body);
  assert.equal(streams(), 1);
});

test("bodies of many frames keep their order and content, written in one call or in calls not waited for", async (t) => {
  const { pool } = await served(t, echo);
  const large = Buffer.alloc(MAX_DATA_BYTES * 20 + 7, 0).map((_, index) => index % 251);
  const exchange = await pool.open({ t: "egress", host: "a.example", port: 1 });
  const sent = [exchange.write(large), exchange.write(Buffer.from("tail")), exchange.write(large), exchange.end()];
  const received = await collect(exchange.body);
  await Promise.all(sent);
  assert.equal(Buffer.compare(received, Buffer.concat([large, Buffer.from("tail"), large])), 0);
});

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
  far.write(Buffer.concat([encodeFrame({ t: "response", x: 1, status: 200, headers: {} }), encodeFrame({ t: "end", x: 1 })]));
  await turn();
  await new Promise<void>((resolve, reject) => {
    setImmediate(() => {
      void one().then(resolve, reject);
    });
  });
  await turn();
  assert.equal(chunks.length, 2);
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

test("a body left unread does not stop the next exchange of its stream", async (t) => {
  const { pool, far } = paired(t);
  far.resume();
  const bodies = Array.from({ length: 200 }, () => encodeFrame({ t: "body", x: 1, data: Uint8Array.of(1) }));
  const first = await pool.open(request);
  await first.end();
  far.write(Buffer.concat([encodeFrame({ t: "response", x: 1, status: 200, headers: {} }), ...bodies, encodeFrame({ t: "end", x: 1 })]));
  await first.head;
  const second = await pool.open(request);
  far.write(encodeFrame({ t: "response", x: 2, status: 204, headers: {} }));
  assert.equal((await second.head).status, 204);
  assert.equal((await collect(first.body)).length, 200);
});

test("a failed exchange rejects head and body with the code, and its stream is used again", async (t) => {
  const { pool, streams } = await served(t, async (exchange) => {
    if (exchange.opening.t === "launch") await exchange.fail("LAUNCH_DIGEST_MISMATCH", "digests differ");
    else await echo(exchange);
  });
  const failed = await pool.open({ t: "launch" });
  await assert.rejects(failed.head, { name: "CmcpError", code: "LAUNCH_DIGEST_MISMATCH", message: "digests differ" });
  await assert.rejects(collect(failed.body), { code: "LAUNCH_DIGEST_MISMATCH" });
  await assert.rejects(failed.write(Buffer.from("a")), { code: "LAUNCH_DIGEST_MISMATCH" });
  await failed.end();
  failed.abort();
  const next = await pool.open(request);
  await next.end();
  await collect(next.body);
  assert.equal(streams(), 1);
});

test("a failure after the head ends the body with its code, after what was sent before", async (t) => {
  const { pool } = await served(t, async (exchange) => {
    await exchange.respond({ status: 200, headers: {} });
    await exchange.write(Buffer.from("partial"));
    await exchange.fail("UPSTREAM_TIMEOUT", "the tool server went quiet");
  });
  const exchange = await pool.open(request);
  assert.equal((await exchange.head).status, 200);
  const body = exchange.body[Symbol.asyncIterator]();
  assert.equal(Buffer.from(examine((await body.next()).value)).toString(), "partial");
  await assert.rejects(body.next(), { code: "UPSTREAM_TIMEOUT" });
});

test("what a handler throws becomes an error frame without its text, unless it is typed", async (t) => {
  const { pool, faults } = await served(t, async (exchange) => {
    if (exchange.opening.t === "launch") throw new CmcpError("PHASE_VIOLATION", "already launched");
    if (exchange.opening.t === "drain") throw new Error("secret detail");
    await Promise.resolve();
  });
  const typed = await pool.open({ t: "launch" });
  await assert.rejects(typed.head, { code: "PHASE_VIOLATION", message: "already launched" });
  const untyped = await pool.open({ t: "drain" });
  await assert.rejects(untyped.head, (error: CmcpError) => error.code === "INTERNAL" && !error.message.includes("secret"));
  const silent = await pool.open(request);
  await assert.rejects(silent.head, { code: "INTERNAL" });
  assert.deepEqual(
    faults.map((fault) => fault.code),
    ["PHASE_VIOLATION", "INTERNAL", "INTERNAL"],
  );
  const [, untypedFault] = faults;
  assert.ok(untypedFault?.cause instanceof Error && untypedFault.cause.message === "secret detail", "what it was stays on this side");
});

test("an error message is cut to its limit and made printable", async (t) => {
  const { pool } = await served(t, async (exchange) => {
    await exchange.fail("INTERNAL", `\ufeffline\r\nbreak \ud800 ${"a".repeat(2000)}`);
  });
  const exchange = await pool.open(request);
  await assert.rejects(exchange.head, (error: Error) => error.message.length === MAX_ERROR_MESSAGE && error.message.startsWith(" line  break \ufffd aaa"));
});

test("an error code this version does not know is WIRE_MALFORMED", async (t) => {
  const { pool, peer } = await rawResponder(t);
  const exchange = await pool.open(request);
  (await peer()).send({ t: "error", x: 1, code: "CODE_OF_TOMORROW", message: "" });
  await assert.rejects(exchange.head, { code: "WIRE_MALFORMED" });
});

test("abort is seen by the responder as its signal, its body and its writes", async (t) => {
  const seen = Promise.withResolvers<unknown[]>();
  const { pool, faults } = await served(t, async (exchange) => {
    await exchange.respond({ status: 200, headers: {} });
    await once(exchange.signal, "abort");
    const outcomes = await Promise.allSettled([collect(exchange.body), exchange.write(Buffer.from("a")), exchange.end(), exchange.fail("INTERNAL", "")]);
    seen.resolve([exchange.signal.reason, ...outcomes.map((outcome) => (outcome.status === "rejected" ? outcome.reason : outcome.value))]);
  });
  const exchange = await pool.open(request);
  await exchange.head;
  exchange.abort();
  for (const error of await seen.promise) assert.equal((error as CmcpError).code, "WIRE_CLOSED");
  await assert.rejects(collect(exchange.body), { code: "REQUEST_CANCELLED" });
  await assert.rejects(exchange.write(Buffer.from("a")), { code: "REQUEST_CANCELLED" });
  await turn();
  assert.deepEqual(faults, []);
});

test("the signal given to open cancels the exchange until it is complete, and never after", async (t) => {
  const { pool, streams } = await served(t, echo);
  const cancel = new AbortController();
  const complete = await pool.open(request, cancel.signal);
  await complete.end();
  await collect(complete.body);
  assert.equal(getEventListeners(cancel.signal, "abort").length, 0);
  const second = await pool.open(request);
  cancel.abort();
  await second.end();
  assert.equal((await collect(second.body)).length, 0);
  assert.equal(streams(), 1);

  const other = new AbortController();
  const cut = await pool.open(request, other.signal);
  await cut.head;
  other.abort();
  await assert.rejects(collect(cut.body), { code: "REQUEST_CANCELLED" });
  await assert.rejects(pool.open(request, other.signal), { code: "REQUEST_CANCELLED" });
});

test("leaving the response's loop early cancels; leaving the request's loop early does not", async (t) => {
  const aborted = Promise.withResolvers<void>();
  const { pool, streams } = await served(t, async (exchange) => {
    if (exchange.opening.t === "launch") {
      for await (const _ of exchange.body) break;
      await exchange.respond({ status: 200, headers: {} });
      await exchange.end();
      return;
    }
    exchange.signal.addEventListener("abort", () => {
      aborted.resolve();
    });
    await exchange.respond({ status: 200, headers: {} });
    await exchange.write(Buffer.from("a"));
    await aborted.promise;
  });
  const launch = await pool.open({ t: "launch" });
  await launch.write(Buffer.alloc(MAX_DATA_BYTES * 40));
  await launch.end();
  assert.equal((await launch.head).status, 200);
  await collect(launch.body);
  const exchange = await pool.open(request);
  for await (const _ of exchange.body) break;
  await aborted.promise;
  assert.equal(streams(), 1);
});

test("a body the handler never reads is discarded and the stream used again", async (t) => {
  const { pool, streams } = await served(t, async (exchange) => {
    await exchange.respond({ status: 413, headers: {} });
    await exchange.end();
  });
  for (let round = 0; round < 2; round += 1) {
    const exchange = await pool.open(request);
    await exchange.write(Buffer.alloc(MAX_DATA_BYTES * 40));
    await exchange.end();
    assert.equal((await exchange.head).status, 413);
    await collect(exchange.body);
  }
  assert.equal(streams(), 1);
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

test("the body of an exchange is bounded on both sides", async (t) => {
  const { path, pool, faults } = await served(t, async (exchange) => {
    await collect(exchange.body);
  });
  const exchange = await pool.open({ t: "drain" });
  await assert.rejects(exchange.write(Buffer.alloc(BODY_LIMITS.drain.bytes + 1)), { code: "WIRE_EXCHANGE_TOO_LARGE" });
  exchange.abort();

  const raw = await rawOpener(t, path);
  raw.send({ t: "drain", x: 1 });
  for (let sent = 0; sent <= BODY_LIMITS.drain.frames; sent += 1) raw.send({ t: "body", x: 1, data: Uint8Array.of(1) });
  let last = await raw.next();
  while (last !== "closed" && last.t !== "error") last = await raw.next();
  assert.equal(last === "closed" ? last : last.code, "WIRE_EXCHANGE_TOO_LARGE");
  assert.equal(await raw.next(), "closed");
  assert.deepEqual(
    faults.map((fault) => fault.code),
    ["WIRE_EXCHANGE_TOO_LARGE"],
  );
});

test("the opener holds the responder's body to the limit", async (t) => {
  const { pool, peer } = await rawResponder(t);
  const exchange = await pool.open({ t: "drain" });
  const raw = await peer();
  raw.send({ t: "response", x: 1, status: 200, headers: {} });
  for (let sent = 0; sent <= BODY_LIMITS.drain.frames; sent += 1) raw.send({ t: "body", x: 1, data: Uint8Array.of(1) });
  await assert.rejects(collect(exchange.body), { code: "WIRE_EXCHANGE_TOO_LARGE" });
});

test("misuse of an exchange rejects and sends nothing", async (t) => {
  const misused = Promise.withResolvers<PromiseSettledResult<void>[]>();
  const { pool } = await served(t, async (exchange) => {
    const before = await Promise.allSettled([exchange.write(Buffer.from("a")), exchange.end(), exchange.respond({ status: 99, headers: {} })]);
    await exchange.respond({ status: 200, headers: {} });
    const twice = await Promise.allSettled([exchange.respond({ status: 500, headers: {} })]);
    await exchange.end();
    const after = await Promise.allSettled([exchange.write(Buffer.from("a")), exchange.end(), exchange.fail("INTERNAL", "late")]);
    misused.resolve([...before, ...twice, ...after]);
  });
  const exchange = await pool.open(request);
  await exchange.end();
  assert.equal((await exchange.head).status, 200);
  assert.equal((await collect(exchange.body)).length, 0);
  await assert.rejects(exchange.write(Buffer.from("a")), { code: "WIRE_UNEXPECTED_FRAME" });
  await exchange.end();
  const codes = (await misused.promise).map((result) => (result.status === "rejected" ? (result.reason as CmcpError).code : "fulfilled"));
  assert.deepEqual(codes, ["WIRE_UNEXPECTED_FRAME", "WIRE_UNEXPECTED_FRAME", "WIRE_MALFORMED", ...Array.from({ length: 4 }, () => "WIRE_UNEXPECTED_FRAME")]);
});

test("a body has one reader", async (t) => {
  const { pool } = await served(t, echo);
  const exchange = await pool.open({ t: "egress", host: "a.example", port: 1 });
  const body = exchange.body[Symbol.asyncIterator]();
  const first = body.next();
  await assert.rejects(body.next(), { code: "WIRE_UNEXPECTED_FRAME" });
  await exchange.write(Buffer.from("a"));
  assert.equal((await first).done, false);
  exchange.abort();
});
