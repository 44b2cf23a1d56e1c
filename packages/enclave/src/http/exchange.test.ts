/** A handler behind real frames over a real Unix socket: what it holds for a request is counted and bounded. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { BufferedBytes } from "@cmcp/boundary";
import type { HttpRequest, HttpResponse } from "@cmcp/mcp";
import { ExchangePool, listenUnix, serveStream, unixDialer, type OutgoingExchange } from "@cmcp/wire";
import { answer } from "./exchange.ts";

async function asked(
  t: TestContext,
  buffered: BufferedBytes,
  handle: (request: HttpRequest) => Promise<HttpResponse>,
  pieces: readonly string[] = [],
): Promise<OutgoingExchange> {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-handler-"));
  const listener = await listenUnix(join(folder, "s"), (stream) =>
    serveStream(stream, async (exchange) => {
      assert.ok(exchange.opening.t === "request");
      await answer(exchange, exchange.opening, handle, buffered);
    }),
  );
  const pool = new ExchangePool(unixDialer(join(folder, "s")), { maxStreams: 1 });
  t.after(async () => {
    await pool.close();
    await listener.close();
    await rm(folder, { recursive: true, force: true });
  });
  const exchange = await pool.open({
    t: "request",
    method: pieces.length === 0 ? "GET" : "POST",
    path: "/",
    headers: {},
  });
  for (const piece of pieces) await exchange.write(Buffer.from(piece));
  if (pieces.at(-1) !== MORE) await exchange.end();
  return exchange;
}

/** A last piece that more is to follow. */
const MORE = "and more";
const textOf = (chunks: readonly Uint8Array[]): string => Buffer.concat(chunks).toString();

test("a complete body is read at once, and only once", async (t) => {
  const exchange = await asked(
    t,
    new BufferedBytes(),
    async (request) => {
      let whole = request.whole?.() ?? null;
      for (; whole === null; whole = request.whole?.() ?? null) await new Promise((resolve) => setImmediate(resolve));
      const rest: Uint8Array[] = [];
      for await (const chunk of request.body ?? []) rest.push(chunk);
      return { status: 200, headers: { body: textOf(whole), rest: `${rest.length}` }, body: null };
    },
    ["one ", "two"],
  );
  assert.deepEqual((await exchange.head).headers, { body: "one two", rest: "0" });
});

test("an incomplete body is read as it arrives", async (t) => {
  const exchange = await asked(
    t,
    new BufferedBytes(),
    async (request) => {
      const whole = request.whole?.() ?? null;
      for await (const chunk of request.body ?? [])
        return {
          status: 200,
          headers: { whole: whole === null ? "not yet" : "all", first: textOf([chunk]) },
          body: null,
        };
      throw new Error("the body ended");
    },
    [MORE],
  );
  assert.deepEqual((await exchange.head).headers, { whole: "not yet", first: MORE });
});

test("a response counts until it was read, for its principal once that is known", async (t) => {
  const buffered = new BufferedBytes(4 * 1024 * 1024);
  const exchange = await asked(t, buffered, async (request) => {
    request.buffered?.belongTo("principal:alice");
    return { status: 200, headers: {}, body: "x".repeat(1_500_000) };
  });
  assert.equal((await exchange.head).status, 200);
  assert.equal(buffered.held, 1_500_000);
  assert.throws(() => buffered.share("principal:alice").take(1_000_000), { code: "OVERLOADED" });
  buffered.share("principal:bob").take(1_000_000);
  let read = 0;
  for await (const chunk of exchange.body) read += (chunk as unknown as Uint8Array).byteLength;
  assert.equal(read, 1_500_000);
  assert.equal(buffered.held, 1_000_000, "what bob has");
});

test("a response without room is refused before any of it is sent", async (t) => {
  const buffered = new BufferedBytes(1_000_000);
  const exchange = await asked(t, buffered, async () => ({ status: 200, headers: {}, body: "x".repeat(600_000) }));
  await assert.rejects(exchange.head, { code: "OVERLOADED" });
  assert.equal(buffered.held, 0);
});

test("a failing handler leaves no count", async (t) => {
  const buffered = new BufferedBytes();
  const exchange = await asked(t, buffered, async (request) => {
    request.buffered?.take(5);
    throw new Error("handler");
  });
  await assert.rejects(exchange.head, { code: "INTERNAL" });
  assert.equal(buffered.held, 0);
});
