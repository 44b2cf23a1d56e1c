/** Exchanges that fail, are aborted or left: who hears of it, and what becomes of their stream. */
import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { CmcpError, examine } from "@cmcp/boundary";
import type { Opening } from "./frame.ts";
import { MAX_DATA_BYTES, MAX_ERROR_MESSAGE } from "./limits.ts";
import { collect, echo, rawResponder, served } from "./testing/sockets.ts";

const request: Opening = { t: "request", method: "POST", path: "/mcp", headers: { accept: "application/json" } };

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
  await assert.rejects(
    untyped.head,
    (error: CmcpError) => error.code === "INTERNAL" && !error.message.includes("secret"),
  );
  const silent = await pool.open(request);
  await assert.rejects(silent.head, { code: "INTERNAL" });
  assert.deepEqual(
    faults.map((fault) => fault.code),
    ["PHASE_VIOLATION", "INTERNAL", "INTERNAL"],
  );
  const [, untypedFault] = faults;
  assert.ok(
    untypedFault?.cause instanceof Error && untypedFault.cause.message === "secret detail",
    "what it was stays on this side",
  );
});

test("an error message is cut to its limit and made printable", async (t) => {
  const { pool } = await served(t, async (exchange) => {
    await exchange.fail("INTERNAL", `\ufeffline\r\nbreak \ud800 ${"a".repeat(2000)}`);
  });
  const exchange = await pool.open(request);
  await assert.rejects(
    exchange.head,
    (error: Error) => error.message.length === MAX_ERROR_MESSAGE && error.message.startsWith(" line  break \ufffd aaa"),
  );
});

test("an error code this version does not know is WIRE_MALFORMED", async (t) => {
  const { pool, peer } = await rawResponder(t);
  const exchange = await pool.open(request);
  (await peer()).send({ t: "error", x: 1, code: "CODE_OF_TOMORROW", message: "" });
  await assert.rejects(exchange.head, { code: "WIRE_MALFORMED" });
});

test("a frame out of order fails the exchange, and says what was expected in its place", async (t) => {
  const { pool, peer } = await rawResponder(t);
  const response = { t: "response", x: 1, status: 200, headers: {} } as const;
  const body = { t: "body", x: 1, data: Uint8Array.of(1) } as const;
  for (const [frames, message] of [
    [[body], "body where a response is expected"],
    [[{ t: "end", x: 1 }], "end where a response is expected"],
    [[response, response], "response where a body is expected"],
    [[response, { t: "drain", x: 1 }], "drain where a body is expected"],
    [[response, { t: "end", x: 1 }, body], "body after the end"],
    [[{ ...body, x: 2 }], "a frame of another exchange"],
  ] as const) {
    const exchange = await pool.open(request);
    const sending = await peer();
    sending.send(...frames);
    while ((await sending.next()) !== "closed");
    await assert.rejects(exchange.write(Buffer.from("a")), { code: "WIRE_UNEXPECTED_FRAME", message });
  }
});

test("abort is seen by the responder as its signal, its body and its writes", async (t) => {
  const seen = Promise.withResolvers<unknown[]>();
  const { pool, faults } = await served(t, async (exchange) => {
    await exchange.respond({ status: 200, headers: {} });
    await once(exchange.signal, "abort");
    const outcomes = await Promise.allSettled([
      collect(exchange.body),
      exchange.write(Buffer.from("a")),
      exchange.end(),
      exchange.fail("INTERNAL", ""),
    ]);
    seen.resolve([
      exchange.signal.reason,
      ...outcomes.map((outcome) => (outcome.status === "rejected" ? outcome.reason : outcome.value)),
    ]);
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
