/** Exchanges from their opening to both ends. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, examine } from "@cmcp/boundary";
import type { Opening } from "./frame.ts";
import { MAX_DATA_BYTES } from "./limits.ts";
import { collect, echo, served } from "./testing/sockets.ts";

const request: Opening = { t: "request", method: "POST", path: "/mcp", headers: { accept: "application/json" } };

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
    { t: "append", first: 2 ** 48 - 1 },
    { t: "scan" },
    { t: "scan", from: 1, to: 2, session: "s", kind: "k" },
    { t: "head" },
    { t: "range", size: 3 },
    { t: "prove", index: 1, size: 3 },
    { t: "cosign" },
    { t: "tree", tree: "/srv/server" },
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

test("misuse of an exchange rejects and sends nothing", async (t) => {
  const misused = Promise.withResolvers<PromiseSettledResult<void>[]>();
  const { pool } = await served(t, async (exchange) => {
    const before = await Promise.allSettled([
      exchange.write(Buffer.from("a")),
      exchange.end(),
      exchange.respond({ status: 99, headers: {} }),
    ]);
    await exchange.respond({ status: 200, headers: {} });
    const twice = await Promise.allSettled([exchange.respond({ status: 500, headers: {} })]);
    await exchange.end();
    const after = await Promise.allSettled([
      exchange.write(Buffer.from("a")),
      exchange.end(),
      exchange.fail("INTERNAL", "late"),
    ]);
    misused.resolve([...before, ...twice, ...after]);
  });
  const exchange = await pool.open(request);
  await exchange.end();
  assert.equal((await exchange.head).status, 200);
  assert.equal((await collect(exchange.body)).length, 0);
  await assert.rejects(exchange.write(Buffer.from("a")), { code: "WIRE_UNEXPECTED_FRAME" });
  await exchange.end();
  const codes = (await misused.promise).map((result) =>
    result.status === "rejected" ? (result.reason as CmcpError).code : "fulfilled",
  );
  assert.deepEqual(codes, [
    "WIRE_UNEXPECTED_FRAME",
    "WIRE_UNEXPECTED_FRAME",
    "WIRE_MALFORMED",
    ...Array.from({ length: 4 }, () => "WIRE_UNEXPECTED_FRAME"),
  ]);
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
