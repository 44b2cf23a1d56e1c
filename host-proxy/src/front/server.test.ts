import assert from "node:assert/strict";
import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
import { text } from "node:stream/consumers";
import { bodyText, echo, send, startFrontHarness } from "../testing/front-harness.ts";

const json = (value: string): unknown => JSON.parse(value);
const MCP = { method: "POST", path: "/mcp" };

/** Sends raw bytes and returns what comes back until the connection closes. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.write(bytes);
  return text(socket);
}

test("a target that needs normalising to match is refused, not normalised", async (t) => {
  let exchanges = 0;
  const { port } = await startFrontHarness(t, (exchange) => {
    exchanges += 1;
    return echo(exchange);
  });
  for (const target of ["/x/../mcp", "/%6dcp", "/./mcp", "http://127.0.0.1/mcp", "/mcp#x", "//mcp", "/mcp\\"]) {
    const answer = await raw(port, `GET ${target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);
    assert.match(answer, /^HTTP\/1\.1 40[04] /, target);
  }
  const long = await raw(port, `GET /mcp?${"a".repeat(9_000)} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);
  assert.match(long, /^HTTP\/1\.1 400 [^]*exceed 8192 bytes/);
  assert.equal(exchanges, 0);
});

test("a request whose Host is no host is refused, on the route of calls too", async (t) => {
  const { port } = await startFrontHarness(t, () => assert.fail("must not be forwarded"));
  for (const host of ["a/b", "a@b", "h:99999", "h h"]) {
    assert.match(
      await raw(port, `POST /mcp HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`),
      /^HTTP\/1\.1 400 /,
      host,
    );
  }
});

test("methods outside the list are refused here", async (t) => {
  const { port } = await startFrontHarness(t, () => assert.fail("must not be forwarded"));
  for (const method of ["PUT", "PATCH", "TRACE", "HEAD"])
    assert.equal((await send(port, { path: "/mcp", method })).status, 405, method);
});

test("health is answered by the host and says whether it reaches the enclave", async (t) => {
  const { port, link } = await startFrontHarness(t, () => assert.fail("must not be forwarded"));
  assert.deepEqual(json((await send(port, { path: "/health" })).text), { status: "ok", enclave: "up" });
  await link.lost();
  assert.deepEqual(json((await send(port, { path: "/health" })).text), { status: "ok", enclave: "down" });
});

test("a repeated header is refused unless it is a list", async (t) => {
  const { port } = await startFrontHarness(t, echo);
  const head = "POST /mcp HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n";
  for (const name of [
    "Authorization",
    "Content-Type",
    "Origin",
    "Mcp-Session-Id",
    "MCP-Protocol-Version",
    "Mcp-Name",
    "X-MCP-Workflow-ID",
  ]) {
    const answer = await raw(port, `${head}${name}: a\r\n${name.toLowerCase()}: b\r\n\r\n`);
    assert.match(answer, /^HTTP\/1\.1 400 [^]*more than once/, name);
  }
  const lists = await raw(port, `${head}Accept: a/b\r\nAccept: c/d\r\n\r\n`);
  assert.match(lists, /"accept":"a\/b, c\/d"/);
});

test("a page's preflight reaches the enclave whole, and the answer's words about origins reach the page", async (t) => {
  const asked = {
    origin: "https://app.example",
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,mcp-method",
  };
  const answered = {
    "access-control-allow-origin": "https://app.example",
    "access-control-allow-methods": "POST",
    "access-control-allow-headers": "authorization",
    "access-control-max-age": "7200",
    "access-control-expose-headers": "mcp-session-id",
    vary: "Origin",
  };
  const { port } = await startFrontHarness(t, async (exchange) => {
    const { opening } = exchange;
    assert.deepEqual(opening.t === "request" && [opening.method, opening.headers], ["OPTIONS", asked]);
    await exchange.respond({ status: 204, headers: answered });
    await exchange.end();
  });
  const { status, headers } = await send(port, { method: "OPTIONS", path: "/mcp", headers: asked });
  const { date: _date, connection: _connection, "keep-alive": _keepAlive, ...others } = headers;
  assert.deepEqual([status, others], [204, answered]);
});

test("what the host refuses by itself says nothing of origins, which are the enclave's to let in", async (t) => {
  const { port, link } = await startFrontHarness(t, () => assert.fail("must not be forwarded"));
  await link.lost();
  for (const [method, expected] of [
    ["POST", 503],
    ["OPTIONS", 503],
    ["PUT", 405],
  ] as const) {
    const { status, headers } = await send(port, {
      method,
      path: "/mcp",
      headers: { origin: "https://app.example", "access-control-request-method": "POST" },
    });
    assert.deepEqual(
      [status, Object.keys(headers).filter((name) => name === "vary" || name.startsWith("access-control-"))],
      [expected, []],
      method,
    );
  }
});

test("header values are bounded ASCII", async (t) => {
  const { port } = await startFrontHarness(t, echo);
  const head = "POST /mcp HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n";
  assert.match(await raw(port, `${head}Authorization: Bearer \u00e9\r\n\r\n`), /^HTTP\/1\.1 400 [^]*outside ASCII/);
  assert.match(
    await raw(port, `${head}Authorization: ${"a".repeat(9_000)}\r\n\r\n`),
    /^HTTP\/1\.1 400 [^]*longer than 8192 bytes/,
  );
});

test("oversized and too many headers are refused, and the next request works", async (t) => {
  const { port } = await startFrontHarness(t, echo);
  assert.match(await raw(port, `GET /mcp HTTP/1.1\r\nHost: h\r\nX: ${"a".repeat(20_000)}\r\n\r\n`), /^HTTP\/1\.1 431 /);
  const many = Array.from({ length: 63 }, (_, index) => `X-${index}: 1\r\n`).join("");
  assert.match(await raw(port, `GET /mcp HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${many}\r\n`), /^HTTP\/1\.1 431 /);
  assert.equal((await send(port, MCP, "{}")).status, 200);
});

test("a declared length over the cap is refused before any of the body has come", async (t) => {
  const { port } = await startFrontHarness(t, () => assert.fail("must not be forwarded"), { bodyBytes: 1_000 });
  const outgoing = request({ host: "127.0.0.1", port, ...MCP, headers: { "content-length": 1_001 } });
  outgoing.flushHeaders();
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  incoming.setEncoding("utf8");
  const [body] = (await once(incoming, "data")) as [string];
  assert.equal(incoming.statusCode, 413);
  assert.deepEqual(json(body), {
    jsonrpc: "2.0",
    id: null,
    error: {
      code: -32000,
      message: "the request body exceeds 1000 bytes",
      data: { error_code: "MCP_PAYLOAD_TOO_LARGE", action: "send a smaller request" },
    },
  });
  outgoing.once("error", () => undefined).destroy();
});

test("a refusal reaches an agent that sends everything before it reads", async (t) => {
  const { port } = await startFrontHarness(t, () => assert.fail("must not be forwarded"), { bodyBytes: 1_000 });
  const socket = connect(port, "127.0.0.1").pause();
  socket.write(`POST /mcp HTTP/1.1\r\nHost: h\r\nContent-Length: 8000000\r\n\r\n`);
  await new Promise<void>((resolve, reject) => {
    socket.write(Buffer.alloc(8_000_000), (error) => (error ? reject(error) : resolve()));
  });
  assert.match(await text(socket), /^HTTP\/1\.1 413 /);
});

test("a chunked body over the cap is cut off: 413 reaches the sender, the exchange is cancelled", async (t) => {
  const began = Promise.withResolvers<undefined>();
  const cancelled = Promise.withResolvers<undefined>();
  let ended = false;
  const { port } = await startFrontHarness(
    t,
    async (exchange) => {
      exchange.signal.addEventListener("abort", () => cancelled.resolve(undefined));
      began.resolve(undefined);
      await bodyText(exchange);
      ended = true;
    },
    { bodyBytes: 100_000 },
  );
  const outgoing = request({ host: "127.0.0.1", port, ...MCP });
  const response = once(outgoing, "response") as Promise<[IncomingMessage]>;
  outgoing.write("a");
  await began.promise;
  outgoing.end(Buffer.alloc(2_000_000));
  const [incoming] = await response;
  assert.deepEqual([incoming.statusCode, incoming.headers.connection], [413, "close"]);
  assert.match(await text(incoming), /"error_code":"MCP_PAYLOAD_TOO_LARGE"/);
  await cancelled.promise;
  assert.equal(ended, false, "the enclave must not take a cut body for a whole one");
});

test("Slowloris: headers and bodies that trickle are timed out while others are served", async (t) => {
  const slowHeaders = await startFrontHarness(t, echo, { headersMs: 150 });
  const slowBody = await startFrontHarness(t, echo, { headersMs: 150, requestMs: 300 });
  const slow: [number, string][] = [
    [slowHeaders.port, "GET /mcp HTTP/1.1\r\nHost: h\r\n"],
    [slowBody.port, "POST /mcp HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\na"],
  ];
  const endings = slow.map(([port, bytes]) => raw(port, bytes));
  for (const [port] of slow) assert.equal((await send(port, MCP, "{}")).status, 200);
  for (const ending of await Promise.all(endings)) assert.match(ending, /^HTTP\/1\.1 408 /);
});

test("connections over the limit are closed", async (t) => {
  const { port } = await startFrontHarness(t, echo, { connections: 2 });
  const held = [connect(port, "127.0.0.1"), connect(port, "127.0.0.1")];
  await Promise.all(held.map((socket) => once(socket, "connect")));
  assert.equal(await raw(port, "GET /health HTTP/1.1\r\nHost: h\r\n\r\n").catch(() => ""), "");
  for (const socket of held) socket.destroy();
});

test("conflicting lengths are not forwarded (request smuggling)", async (t) => {
  const { port } = await startFrontHarness(t, () => assert.fail("must not be forwarded"));
  for (const framing of ["Content-Length: 3\r\nTransfer-Encoding: chunked", "Content-Length: 3\r\nContent-Length: 4"]) {
    assert.match(
      await raw(port, `POST /mcp HTTP/1.1\r\nHost: h\r\n${framing}\r\n\r\n0\r\n\r\n`),
      /^HTTP\/1\.1 400 /,
      framing,
    );
  }
});

test("closing lets an open response finish and refuses new ones", async (t) => {
  const go = Promise.withResolvers<undefined>();
  const { port, front, link } = await startFrontHarness(
    t,
    async (exchange) => {
      await bodyText(exchange);
      await exchange.respond({ status: 200, headers: {} });
      await exchange.write(Buffer.from("first "));
      await go.promise;
      await exchange.write(Buffer.from("last"));
      await exchange.end();
    },
    { drainMs: 60_000 },
  );
  const outgoing = request({ host: "127.0.0.1", port, ...MCP }).end("{}");
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  link.refuseNew();
  const closing = front.close();
  await assert.rejects(send(port, { path: "/health" }), { code: "ECONNREFUSED" });
  go.resolve(undefined);
  assert.equal(await text(incoming), "first last");
  await closing;
});

test("closing cuts a response that does not finish in time", async (t) => {
  const { port, front } = await startFrontHarness(
    t,
    async (exchange) => {
      await exchange.respond({ status: 200, headers: { "content-type": "text/event-stream" } });
      await once(exchange.signal, "abort");
    },
    { drainMs: 50 },
  );
  const outgoing = request({ host: "127.0.0.1", port, path: "/mcp" }).end();
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  const broken = once(incoming, "error");
  await front.close();
  await broken;
});
