import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test, type TestContext } from "node:test";
import type { CmcpError, JsonObject } from "@cmcp/boundary";
import type { UpstreamLimits } from "../index.ts";
import {
  EVENT_STREAM,
  ScriptedServer,
  chunk,
  event,
  gone,
  http,
  json,
  reply,
  type Script,
} from "../testing/scripted-server.ts";
import { faultOf, forever, plainClient, start, toolNamed } from "../testing/upstream.ts";

const OK: JsonObject = { content: [{ type: "text", text: "fine" }] };

/** The first call meets `bad`, later ones a good answer: shows the fault, and that the client is not stuck after it. */
async function assertFault(
  t: TestContext,
  bad: Script,
  expected: { code: string; sent: number; limits?: Partial<UpstreamLimits> },
): Promise<CmcpError> {
  let met = false;
  const { client } = await start(
    t,
    (request, socket) => {
      if (met) socket.write(json(reply(request, OK)));
      else bad(request, socket);
      met = true;
    },
    expected.limits,
  );
  const fault = await faultOf(client.callTool("s", toolNamed("tool"), {}, forever));
  assert.deepEqual(
    { code: fault.code, sent: fault.detail.sent },
    { code: expected.code, sent: expected.sent },
    fault.message,
  );
  assert.deepEqual(await client.callTool("s", toolNamed("tool"), {}, forever), OK);
  return fault;
}

test("a server that is down: nothing was sent", async (t) => {
  const server = await ScriptedServer.start(() => undefined);
  const { url, dial } = server;
  await server.close();
  const fault = await faultOf(plainClient(t, url, dial).callTool("s", toolNamed("tool"), {}, forever));
  assert.deepEqual([fault.code, fault.detail.sent], ["UPSTREAM_UNAVAILABLE", 0]);
});

test("a stream that breaks as soon as it is there: nothing was sent, and nothing else breaks", async (t) => {
  const broken = async (): Promise<Duplex> => new Duplex({ read: () => undefined }).destroy(new Error("reset"));
  const fault = await faultOf(
    plainClient(t, new URL("http://127.0.0.1:9/mcp"), broken).callTool("s", toolNamed("tool"), {}, forever),
  );
  assert.deepEqual([fault.code, fault.detail.sent], ["UPSTREAM_UNAVAILABLE", 0]);
});

test("a relay that connects too late: nothing was sent, and its stream is closed", async (t) => {
  const late = new Duplex({ read: () => undefined });
  let arrive: (stream: Duplex) => void = () => undefined;
  const dial = (): Promise<Duplex> => new Promise((resolve) => (arrive = resolve));
  const fault = await faultOf(
    plainClient(t, new URL("http://127.0.0.1:9/mcp"), dial, { connectMs: 20 }).callTool(
      "s",
      toolNamed("tool"),
      {},
      forever,
    ),
  );
  assert.deepEqual([fault.code, fault.detail.sent], ["UPSTREAM_TIMEOUT", 0]);
  arrive(late);
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(late.destroyed);
});

test("slow headers time out even while they drip", async (t) => {
  const drip: Script = (_, socket) => {
    socket.write("HTTP/1.1 200 OK\r\n");
    const timer = setInterval(() => socket.write("x: y\r\n"), 10);
    socket.once("close", () => clearInterval(timer));
  };
  await assertFault(t, drip, { code: "UPSTREAM_TIMEOUT", sent: 1, limits: { headersMs: 150 } });
});

test("interim answers do not extend the wait for headers", async (t) => {
  const endless: Script = (_, socket) => {
    const timer = setInterval(() => socket.write("HTTP/1.1 103 Early Hints\r\n\r\n"), 10);
    socket.once("close", () => clearInterval(timer));
  };
  await assertFault(t, endless, { code: "UPSTREAM_TIMEOUT", sent: 1, limits: { headersMs: 150 } });
});

for (const [name, begun] of [
  ["after the headers", ""],
  ["in mid-stream", chunk("event: message\nda")],
] as const) {
  test(`a stall ${name} times out`, async (t) => {
    await assertFault(t, (_, socket) => void socket.write(EVENT_STREAM + begun), {
      code: "UPSTREAM_TIMEOUT",
      sent: 1,
      limits: { idleMs: 150 },
    });
  });
}

test("an answer that takes longer than the idle time, and never idles, is read", async (t) => {
  const { client } = await start(
    t,
    (request, socket) => {
      socket.write(EVENT_STREAM);
      let beats = 0;
      const timer = setInterval(() => {
        beats += 1;
        if (beats < 13) return void socket.write(chunk(": beat\n\n"));
        clearInterval(timer);
        return void socket.write(event(reply(request, OK)) + "0\r\n\r\n");
      }, 100);
    },
    { idleMs: 1_000 },
  );
  assert.deepEqual(await client.callTool("s", toolNamed("tool"), {}, forever), OK);
});

test("an endless stream ends at the deadline of the whole exchange, though it never idles", async (t) => {
  const endless: Script = (_, socket) => {
    socket.write(EVENT_STREAM);
    const timer = setInterval(() => socket.write(chunk(": still here\n\n")), 10);
    socket.once("close", () => clearInterval(timer));
  };
  const fault = await assertFault(t, endless, { code: "UPSTREAM_TIMEOUT", sent: 1, limits: { totalMs: 200 } });
  assert.match(fault.message, /took too long/);
});

test("an endless stream of notifications ends at the size cap", async (t) => {
  const note = event({
    jsonrpc: "2.0",
    method: "notifications/message",
    params: { level: "info", data: "x".repeat(500) },
  });
  const flood: Script = (_, socket) => {
    socket.write(EVENT_STREAM);
    const more = (): void => {
      while (!socket.destroyed && socket.write(note));
    };
    socket.on("drain", more);
    more();
  };
  await assertFault(t, flood, { code: "RESPONSE_SIZE_EXCEEDED", sent: 1, limits: { maxResponseBytes: 64 * 1024 } });
});

test("a 10 MB answer is refused by its declared length before it is read", async (t) => {
  const big: Script = (_, socket) =>
    void socket.write(
      `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${10 * 1024 * 1024}\r\n\r\n`,
    );
  await assertFault(t, big, { code: "RESPONSE_SIZE_EXCEEDED", sent: 1 });
});

test("a 10 MB answer without a length is read no further than the cap", async (t) => {
  let written = 0;
  const big: Script = (_, socket) => {
    socket.write("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n");
    const piece = chunk("x".repeat(16 * 1024));
    const more = (): void => {
      while (!socket.destroyed && written < 10 * 1024 * 1024) {
        written += piece.length;
        if (!socket.write(piece)) break;
      }
    };
    socket.on("drain", more);
    more();
  };
  await assertFault(t, big, { code: "RESPONSE_SIZE_EXCEEDED", sent: 1, limits: { maxResponseBytes: 32 * 1024 } });
  assert.ok(written < 10 * 1024 * 1024, `${written} bytes were taken`);
});

const garbage: Record<string, { bad: Script; code?: string }> = {
  "bytes that are not HTTP": { bad: (_, socket) => void socket.write("\u0000\u0001 hello there\r\n\r\n") },
  "headers beyond the limit": {
    bad: (_, socket) => void socket.write(`HTTP/1.1 200 OK\r\n${"x: ".padEnd(1000, "y")}\r\n`.repeat(40)),
  },
  "a body that is not JSON": {
    bad: (_, socket) => void socket.write(http(200, { "content-type": "application/json" }, "<html>")),
  },
  "a body that is not UTF-8": {
    bad: (_, socket) =>
      void socket.write(
        Buffer.concat([
          Buffer.from("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n"),
          Buffer.from([0xc3, 0x28]),
        ]),
      ),
  },
  "a duplicate key": {
    bad: ({ message }, socket) =>
      void socket.write(
        http(
          200,
          { "content-type": "application/json" },
          `{"jsonrpc":"2.0","id":${JSON.stringify(message.id)},"result":{"a":1,"a":2}}`,
        ),
      ),
  },
  "a number that does not round-trip": {
    bad: ({ message }, socket) =>
      void socket.write(
        http(
          200,
          { "content-type": "application/json" },
          `{"jsonrpc":"2.0","id":${JSON.stringify(message.id)},"result":{"a":9007199254740993}}`,
        ),
      ),
  },
  "nesting beyond the limit": {
    bad: ({ message }, socket) =>
      void socket.write(
        http(
          200,
          { "content-type": "application/json" },
          `{"jsonrpc":"2.0","id":${JSON.stringify(message.id)},"result":{"a":${"[".repeat(500)}${"]".repeat(500)}}}`,
        ),
      ),
  },
  "a batch": {
    bad: (request, socket) =>
      void socket.write(http(200, { "content-type": "application/json" }, JSON.stringify([reply(request, OK)]))),
  },
  "another version of JSON-RPC": {
    bad: (request, socket) => void socket.write(json({ ...reply(request, OK), jsonrpc: "1.0" })),
  },
  "another id": { bad: (request, socket) => void socket.write(json({ ...reply(request, OK), id: 999_999 })) },
  "the id as a string": {
    bad: (request, socket) =>
      void socket.write(json({ ...reply(request, OK), id: JSON.stringify(request.message.id) })),
  },
  "an error without an id": {
    bad: (_, socket) =>
      void socket.write(json({ jsonrpc: "2.0", id: null, error: { code: -32700, message: "what?" } })),
  },
  "another id in a stream, before ours": {
    bad: (request, socket) =>
      void socket.write(
        EVENT_STREAM + event({ ...reply(request, OK), id: 999_999 }) + event(reply(request, OK)) + "0\r\n\r\n",
      ),
  },
  "a stream that ends without a reply": { bad: (_, socket) => void socket.write(`${EVENT_STREAM}0\r\n\r\n`) },
  "a stream event that is not JSON": { bad: (_, socket) => void socket.write(EVENT_STREAM + chunk("data: nope\n\n")) },
  "a stream that is not UTF-8": {
    bad: (_, socket) =>
      void socket.write(
        Buffer.concat([Buffer.from(`${EVENT_STREAM}2\r\n`), Buffer.from([0xc3, 0x28]), Buffer.from("\r\n")]),
      ),
  },
  "a redirect": { bad: (_, socket) => void socket.write(http(307, { location: "http://127.0.0.1:1/mcp" }, "")) },
  "a good answer under HTTP 500": {
    bad: (request, socket) =>
      void socket.write(http(500, { "content-type": "application/json" }, JSON.stringify(reply(request, OK)))),
  },
  "a good answer under a redirect": {
    bad: (request, socket) =>
      void socket.write(http(302, { "content-type": "application/json" }, JSON.stringify(reply(request, OK)))),
  },
  "an accepted call without an answer": { bad: (_, socket) => void socket.write(http(202, {}, "")) },
  "HTTP 500": { bad: (_, socket) => void socket.write(http(500, {}, "")) },
  "HTTP 400, as some servers answer a session they forgot": {
    bad: (_, socket) => void socket.write(http(400, {}, "")),
  },
  "another content type": {
    bad: (request, socket) =>
      void socket.write(http(200, { "content-type": "text/html" }, JSON.stringify(reply(request, OK)))),
  },
  "two content types": {
    bad: (request, socket) =>
      void socket.write(
        http(
          200,
          { "content-type": "application/json", "Content-Type": "text/event-stream" },
          JSON.stringify(reply(request, OK)),
        ),
      ),
  },
  "a compressed answer, however small": {
    bad: (_, socket) =>
      void socket.write(http(200, { "content-type": "application/json", "content-encoding": "gzip" }, "\u001f")),
  },
  "more requests of its own than it may make": {
    bad: (_, socket) => {
      socket.write(EVENT_STREAM);
      for (let id = 0; id < 40; id += 1)
        socket.write(event({ jsonrpc: "2.0", id, method: "sampling/createMessage", params: {} }));
    },
  },
  "HTTP 503": { bad: (_, socket) => void socket.write(http(503, {}, "")), code: "UPSTREAM_UNAVAILABLE" },
  "a chunked body cut short": {
    bad: (_, socket) =>
      void socket.end(
        'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n50\r\n{"json',
      ),
    code: "UPSTREAM_UNAVAILABLE",
  },
  "a connection closed instead of an answer": { bad: (_, socket) => void socket.end(), code: "UPSTREAM_UNAVAILABLE" },
  "a connection reset instead of an answer": {
    bad: (_, socket) => void socket.resetAndDestroy(),
    code: "UPSTREAM_UNAVAILABLE",
  },
};
for (const [name, { bad, code = "UPSTREAM_PROTOCOL_ERROR" }] of Object.entries(garbage)) {
  test(`a server that answers with ${name}: outcome unknown, and the next call works`, async (t) => {
    await assertFault(t, bad, { code, sent: 1 });
  });
}

test("a JSON-RPC error of the server is a definite refusal, and its text stays out of the message", async (t) => {
  const refuse: Script = ({ message }, socket) =>
    void socket.write(
      json({ jsonrpc: "2.0", id: message.id ?? null, error: { code: -32602, message: "secret text" } }),
    );
  const fault = await assertFault(t, refuse, { code: "UPSTREAM_CALL_REFUSED", sent: 1 });
  assert.equal(fault.detail.rpc_code, -32602);
  assert.doesNotMatch(fault.message, /secret/);
});

test("the connection of an answer that was refused is dropped", async (t) => {
  let dropped: Promise<unknown> = Promise.resolve();
  const { client } = await start(t, (request, socket) => {
    socket.write(EVENT_STREAM + event({ ...reply(request, OK), id: 999_999 }));
    dropped = gone(socket);
  });
  await faultOf(client.callTool("s", toolNamed("tool"), {}, forever));
  await dropped;
});
