import assert from "node:assert/strict";
import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
import { text } from "node:stream/consumers";
import { bodyText, echo, send, startFrontHarness } from "../testing/front-harness.ts";

const json = (value: string): unknown => JSON.parse(value);
const MCP = { method: "POST", path: "/mcp" };

test("a request becomes one exchange: method, path and query, allow-listed headers, body", async (t) => {
  const { port } = await startFrontHarness(t, echo);
  const answer = await send(
    port,
    {
      method: "POST",
      path: "/mcp?a=%20b",
      headers: {
        Authorization: "Bearer abc",
        "Content-Type": "application/json",
        Cookie: "s=1",
        "X-Forwarded-For": "1.2.3.4",
        "MCP-Session-Id": "s1",
      },
    },
    '{"x":1}',
  );
  assert.equal(answer.status, 200);
  assert.equal(answer.headers["content-type"], "application/json");
  assert.deepEqual(json(answer.text), {
    t: "request",
    method: "POST",
    path: "/mcp?a=%20b",
    headers: { authorization: "Bearer abc", "content-type": "application/json", "mcp-session-id": "s1" },
    body: '{"x":1}',
  });
});

test("every forwarded path reaches the enclave, and no other does", async (t) => {
  let exchanges = 0;
  const { port } = await startFrontHarness(t, (exchange) => {
    exchanges += 1;
    return echo(exchange);
  });
  const forwarded = [
    "/mcp",
    "/mcp/billing_v1.2",
    "/readyz",
    "/v1/status",
    "/attestation?nonce=1",
    "/audit/export?session_id=1",
    "/sessions/0a-B/close",
    "/sessions/1/trace-claim",
    "/sessions/1/trace-record",
    "/sessions/1/evidence",
    "/sessions/1/reset",
    "/catalog/exception",
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/oauth-protected-resource/team/v1.2/mcp",
  ];
  for (const path of forwarded) {
    const answer = await send(port, { path });
    assert.deepEqual([answer.status, (json(answer.text) as { path: string }).path], [200, path]);
  }
  assert.equal(exchanges, forwarded.length);
  for (const path of [
    "/",
    "/mcp/",
    "/MCP",
    "/mcp/x/y",
    "/mcp/.x",
    "/sessions/a/b/close",
    "/sessions//close",
    "/sessions/a%2e/close",
    "/metrics",
    "/.well-known/openid-configuration",
    "/.well-known/oauth-protected-resource/",
    "/.well-known/oauth-protected-resource/../mcp",
    "/.well-known/oauth-protected-resource/a/..",
    "/.well-known/oauth-protected-resource/a//b",
  ]) {
    const answer = await send(port, { path });
    assert.equal(answer.status, 404, path);
    assert.equal((json(answer.text) as { error: { code: string } }).error.code, "NOT_FOUND");
  }
  assert.equal(exchanges, forwarded.length);
});

test("a response body is streamed, not collected", async (t) => {
  const second = Promise.withResolvers<undefined>();
  const { port } = await startFrontHarness(t, async (exchange) => {
    await exchange.respond({
      status: 200,
      headers: {
        "content-type": "text/event-stream",
        connection: "close",
        "transfer-encoding": "gzip",
        "mcp-session-id": "abc",
      },
    });
    await exchange.write(Buffer.from("data: 1\n\n"));
    await second.promise;
    await exchange.write(Buffer.from("data: 2\n\n"));
    await exchange.end();
  });
  const outgoing = request({ host: "127.0.0.1", port, path: "/mcp" }).end();
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  assert.equal(incoming.headers["mcp-session-id"], "abc");
  assert.equal(incoming.headers["transfer-encoding"], "chunked", "framing of this hop is the host's");
  const [first] = (await once(incoming, "data")) as [Buffer];
  assert.equal(first.toString(), "data: 1\n\n");
  const rest = text(incoming);
  second.resolve(undefined);
  assert.equal(await rest, "data: 2\n\n");
});

test("an answer that has come whole says its length, unless its status has no content; one that has not is chunked", async (t) => {
  const rest = Promise.withResolvers<undefined>();
  const { port } = await startFrontHarness(t, async (exchange) => {
    const path = exchange.opening.t === "request" ? exchange.opening.path : "";
    await exchange.respond({ status: path === "/mcp?none" ? 204 : 200, headers: {} });
    if (path === "/mcp?whole") for (const part of ["one ", "two"]) await exchange.write(Buffer.from(part));
    if (path === "/mcp?parts") {
      await exchange.write(Buffer.from("one "));
      await rest.promise;
    }
    await exchange.end();
  });
  const framing = async (path: string): Promise<unknown[]> => {
    const { text: body, headers } = await send(port, { path });
    return [body, headers["content-length"], headers["transfer-encoding"]];
  };
  assert.deepEqual(await framing("/mcp?whole"), ["one two", "7", undefined]);
  assert.deepEqual(await framing("/mcp?empty"), ["", "0", undefined]);
  assert.deepEqual(await framing("/mcp?none"), ["", undefined, undefined]);
  const [parts] = (await once(
    request({ host: "127.0.0.1", port, agent: false, path: "/mcp?parts" }).end(),
    "response",
  )) as [IncomingMessage];
  rest.resolve(undefined);
  assert.deepEqual(
    [await text(parts), parts.headers["content-length"], parts.headers["transfer-encoding"]],
    ["one ", undefined, "chunked"],
  );
});

test("what the enclave did not take of a body does not stand before the connection's next request", async (t) => {
  const answer = Promise.withResolvers<{ status: number; headers: Record<string, string> }>();
  const { link, port } = await startFrontHarness(t, echo);
  // An exchange that takes nothing after its first bytes, as one does whose handler works on them.
  t.mock.method(link, "open", async () => ({
    head: answer.promise,
    body: { whole: () => [] },
    write: () => new Promise<void>(() => undefined),
    end: async () => undefined,
    abort: () => undefined,
  }));
  const socket = connect(port, "127.0.0.1").setEncoding("latin1");
  const received: string[] = [];
  socket.on("data", (part: string) => received.push(part));
  socket.write("POST /mcp HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n");
  // In two parts, the second of which fills what node:http holds of a request and also ends the body.
  const part = `a000\r\n${"a".repeat(0xa000)}\r\n`;
  for (const bytes of [part, `${part}0\r\n\r\n`]) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.write(bytes);
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  answer.resolve({ status: 200, headers: {} });
  await untilTrue(() => received.join("").includes("200 OK"));
  socket.write("GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  await once(socket, "close");
  assert.match(received.join(""), /"enclave":"up"/);
});

test("the head of an event stream is not held back until its first event", async (t) => {
  const { port, link } = await startFrontHarness(t, async (exchange) => {
    await exchange.respond({ status: 200, headers: { "content-type": "text/event-stream" } });
    await once(exchange.signal, "abort");
  });
  const outgoing = request({ host: "127.0.0.1", port, path: "/mcp" }).end();
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  assert.equal(incoming.statusCode, 200);
  const broken = once(incoming, "error");
  await link.lost();
  await broken;
});

test("the enclave's errors become typed JSON: JSON-RPC on /mcp, plain elsewhere", async (t) => {
  const { port } = await startFrontHarness(t, async (exchange) => {
    await exchange.fail("NOT_PROVISIONED", "not provisioned yet");
  });
  const mcp = await send(port, MCP, "{}");
  assert.equal(mcp.status, 503);
  assert.deepEqual(
    (json(mcp.text) as { error: { data: { error_code: string } } }).error.data.error_code,
    "NOT_PROVISIONED",
  );
  const status = await send(port, { path: "/v1/status" });
  assert.deepEqual(json(status.text), {
    error: {
      code: "NOT_PROVISIONED",
      message: "not provisioned yet",
      action: "wait until the operator has provisioned the gateway",
    },
  });
});

test("an enclave that closes the stream mid-frame is ENCLAVE_UNAVAILABLE, and the next good request works", async (t) => {
  let first = true;
  const { port, streams } = await startFrontHarness(t, async (exchange) => {
    if (!first) return await echo(exchange);
    first = false;
    const [stream] = streams;
    // The length of a frame and the beginning of its map, then nothing.
    stream?.write(Buffer.from([0, 0, 0, 50, 0xa3]));
    stream?.end();
  });
  const broken = await send(port, MCP, "{}");
  assert.equal(broken.status, 503);
  assert.match(broken.text, /"error_code":"ENCLAVE_UNAVAILABLE"/);
  assert.equal((await send(port, MCP, "{}")).status, 200);
});

test("an enclave that breaks off mid-response cuts the connection instead of ending the body", async (t) => {
  const { port, streams } = await startFrontHarness(t, async (exchange) => {
    await exchange.respond({ status: 200, headers: {} });
    await exchange.write(Buffer.from("part"));
    await once(exchange.signal, "abort");
  });
  const outgoing = request({ host: "127.0.0.1", port, ...MCP }).end("{}");
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  streams[0]?.destroy();
  await assert.rejects(text(incoming), { code: "ECONNRESET" });
});

test("without an enclave, requests are answered 503 and /mcp stays JSON-RPC", async (t) => {
  const { port, link } = await startFrontHarness(t, echo);
  await link.lost();
  const answer = await send(port, { path: "/readyz" });
  assert.equal(answer.status, 503);
  assert.deepEqual(json(answer.text), {
    error: { code: "ENCLAVE_UNAVAILABLE", message: "the enclave is down", action: "retry; the gateway is restarting" },
  });
  assert.match((await send(port, MCP, "{}")).text, /"error_code":"ENCLAVE_UNAVAILABLE"/);
});

test("an enclave that never answers is given up", async (t) => {
  const { port } = await startFrontHarness(t, async (exchange) => void (await once(exchange.signal, "abort")), {
    answerMs: 50,
  });
  const answer = await send(port, MCP, "{}");
  assert.equal(answer.status, 503);
  assert.match(answer.text, /no progress within 50 ms/);
});

test("an agent that disconnects mid-response aborts the exchange", async (t) => {
  const aborted = Promise.withResolvers<undefined>();
  const { port } = await startFrontHarness(t, async (exchange) => {
    exchange.signal.addEventListener("abort", () => aborted.resolve(undefined));
    await exchange.respond({ status: 200, headers: { "content-type": "text/event-stream" } });
    await exchange.write(Buffer.from("data: 1\n\n"));
    await aborted.promise;
  });
  const outgoing = request({ host: "127.0.0.1", port, path: "/mcp" }).end();
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  await once(incoming, "data");
  incoming.once("error", () => undefined);
  outgoing.destroy();
  await aborted.promise;
});

test("an agent that disconnects mid-request aborts the exchange", async (t) => {
  const began = Promise.withResolvers<undefined>();
  const aborted = Promise.withResolvers<undefined>();
  const { port, log } = await startFrontHarness(t, async (exchange) => {
    exchange.signal.addEventListener("abort", () => aborted.resolve(undefined));
    began.resolve(undefined);
    await bodyText(exchange);
  });
  const socket = connect(port, "127.0.0.1");
  socket.write("POST /mcp HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc");
  await began.promise;
  socket.destroy();
  await aborted.promise;
  await untilTrue(() => log().includes('"code":"REQUEST_CANCELLED"'));
});

test("an agent that does not read its response is cut off, and holds back the enclave meanwhile", async (t) => {
  const aborted = Promise.withResolvers<undefined>();
  let sent = 0;
  const { port } = await startFrontHarness(
    t,
    async (exchange) => {
      exchange.signal.addEventListener("abort", () => aborted.resolve(undefined));
      await exchange.respond({ status: 200, headers: {} });
      for (; !exchange.signal.aborted; sent += 16_384) await exchange.write(Buffer.alloc(16_384));
    },
    { stallMs: 200 },
  );
  const socket = connect(port, "127.0.0.1").pause();
  socket.write("GET /mcp HTTP/1.1\r\nHost: h\r\n\r\n");
  await aborted.promise;
  assert.ok(sent < 64 * 1024 * 1024, `the enclave could send ${sent} bytes`);
  socket.destroy();
});

test("an early answer is delivered although the agent still sends", async (t) => {
  const { port } = await startFrontHarness(t, async (exchange) => {
    await exchange.respond({ status: 401, headers: { "content-length": "4" } });
    await exchange.write(Buffer.from("nope"));
    await exchange.end();
  });
  const answer = await send(port, { ...MCP, headers: { "content-length": 3_000_000 } }, Buffer.alloc(3_000_000));
  assert.deepEqual([answer.status, answer.text, answer.headers.connection], [401, "nope", "close"]);
});

test("the log holds no body, header value, query or path parameter, at any level", async (t) => {
  const { port, log } = await startFrontHarness(t, async (exchange) => {
    if (exchange.opening.t === "request" && exchange.opening.path.startsWith("/mcp?fail"))
      await exchange.fail("TEE_FAULT", "failed");
    else await echo(exchange);
  });
  const headers = {
    authorization: "Bearer secret-token",
    "mcp-session-id": "secret-session",
    origin: "https://secret-origin",
  };
  await send(port, { method: "POST", path: "/mcp?q=secret-query", headers }, "secret-body");
  await send(port, { method: "POST", path: "/mcp?fail=secret-query", headers }, "secret-body");
  await send(port, { method: "POST", path: "/sessions/secret-id/close", headers }, "secret-body");
  await send(port, { method: "POST", path: "/secret-path", headers }, "secret-body");
  await untilTrue(() => log().includes("/sessions/:id"));
  assert.match(log(), /"route":"\/mcp","method":"POST","status":200/);
  assert.match(log(), /"code":"TEE_FAULT"/);
  assert.doesNotMatch(log(), /secret/);
});

async function untilTrue(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
