/** What is held of a server's answers is counted, refused beyond its bound, and given back. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { BufferedBytes, type JsonObject } from "@cmcp/boundary";
import { UpstreamClient, silentPeer } from "../index.ts";
import {
  EVENT_STREAM,
  ScriptedServer,
  chunk,
  event,
  http,
  json,
  reply,
  type Script,
  type ScriptedRequest,
} from "../testing/scripted-server.ts";
import { faultOf, forever, toolNamed } from "../testing/upstream.ts";

async function start(
  t: TestContext,
  script: Script,
  max?: number,
): Promise<{ client: UpstreamClient; buffered: BufferedBytes }> {
  const server = await ScriptedServer.start(script);
  const buffered = new BufferedBytes(max);
  const client = new UpstreamClient({
    url: server.url,
    dial: server.dial,
    tls: { mode: "none" },
    clientInfo: { name: "gateway", version: "1" },
    buffered,
  });
  t.after(async () => {
    await client.close();
    await server.close();
  });
  return { client, buffered };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}

const text = (length: number): JsonObject => ({ content: [{ type: "text", text: "x".repeat(length) }] });

function toolOf({ message }: ScriptedRequest): string {
  return (message.params as { name?: string } | undefined)?.name ?? "";
}

test("an answer counts from its first byte until it was read whole", async (t) => {
  let end: () => void = () => undefined;
  const { client, buffered } = await start(t, (request, socket) => {
    const whole = json(reply(request, text(5_000)));
    socket.write(whole.slice(0, -1_000));
    end = () => socket.write(whole.slice(-1_000));
  });
  const called = client.callTool("s", toolNamed("tool"), {}, forever);
  await until(() => buffered.held > 4_000);
  end();
  await called;
  assert.equal(buffered.held, 0);
});

test("an event that does not end counts, one that was taken does not", async (t) => {
  let go: () => void = () => undefined;
  const { client, buffered } = await start(t, (request, socket) => {
    if (request.method === "GET") return void socket.write(http(405, {}, ""));
    socket.write(EVENT_STREAM);
    socket.write(
      event({ jsonrpc: "2.0", method: "notifications/message", params: { level: "info", data: "x".repeat(3_000) } }),
    );
    go = () => {
      socket.write(chunk(`data: {"jsonrpc": "2.0", "method": "n", "params": {"data": "${"y".repeat(9_000)}`));
      go = () => socket.write(chunk(`"}}\n\n`) + event(reply(request, text(10))) + "0\r\n\r\n");
    };
  });
  const heard = Promise.withResolvers<void>();
  const taken = Promise.withResolvers<void>();
  const peer = {
    ...silentPeer(forever),
    wantsLog: true,
    logLevel: "info" as const,
    notify: async () => {
      heard.resolve();
      await taken.promise;
    },
  };
  const called = client.request("s", { method: "tools/call", params: { name: "tool", arguments: {} } }, peer);
  await heard.promise;
  assert.ok(buffered.held > 3_000, "the agent has not taken it");
  taken.resolve();
  await until(() => buffered.held === 0);
  go();
  await until(() => buffered.held > 9_000);
  go();
  await called;
  assert.equal(buffered.held, 0);
});

test("an answer beyond the bound ends its call alone", async (t) => {
  const { client, buffered } = await start(
    t,
    (request, socket) => socket.write(json(reply(request, text(Number(toolOf(request)))))),
    20_000,
  );
  const fault = await faultOf(client.callTool("s", toolNamed("15000"), {}, forever));
  assert.deepEqual([fault.code, fault.detail.sent], ["OVERLOADED", 1]);
  assert.equal(buffered.held, 0);
  assert.deepEqual(await client.callTool("s", toolNamed("5000"), {}, forever), text(5_000));
});

test("whatever ends a call, nothing of it stays counted", async (t) => {
  const ways: Record<string, Script> = {
    cut: (request, socket) => socket.end(json(reply(request, text(5_000))).slice(0, -10)),
    refused: (_, socket) => socket.write(http(500, { "content-type": "application/json" }, "x".repeat(5_000))),
    "no-json": (_, socket) => socket.write(http(200, { "content-type": "application/json" }, "x".repeat(5_000))),
    "another-type": (_, socket) => socket.write(http(200, { "content-type": "text/html" }, "x".repeat(5_000))),
    "goes-on": (request, socket) =>
      socket.write(EVENT_STREAM + event(reply(request, text(10))) + chunk(`data: ${"x".repeat(5_000)}`)),
  };
  const { client, buffered } = await start(t, (request, socket) => ways[toolOf(request)]?.(request, socket));
  for (const name of Object.keys(ways)) {
    await client.callTool("s", toolNamed(name), {}, forever).catch(() => undefined);
    assert.equal(buffered.held, 0, name);
  }
});
