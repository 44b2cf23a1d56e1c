import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { BufferedBytes } from "@cmcp/boundary";
import type { CatalogServer } from "@cmcp/catalog";
import type { Core } from "./core.ts";
import type { Credentials } from "./credentials.ts";
import type { RecordedSession } from "./record/recorded-session.ts";
import type { StdioServers } from "./stdio/servers.ts";
import { Subscriptions } from "./subscriptions.ts";
import { Upstreams } from "./upstreams.ts";

/** Time until a subscription is acknowledged, in milliseconds: what is said meanwhile is said on no stream of it. */
const SLOW_MS = 40;

/** A server of MCP 2026-07-28 that tells of `a:0` every other millisecond. */
async function serve(t: TestContext): Promise<{ url: URL; unheard: () => number; most: () => number; told: () => number }> {
  const streams = new Map<ServerResponse, number>();
  let [unheard, most, told] = [0, 0, 0];
  const server = createServer((request, response) => {
    void text(request).then(async (body) => {
      const { id, params } = JSON.parse(body) as { id: number; params: { notifications: object } };
      const say = (method: string, more: object): boolean => response.write(`data: ${JSON.stringify({ jsonrpc: "2.0", method, params: { ...more, _meta: { "io.modelcontextprotocol/subscriptionId": id } } })}\n\n`);
      response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
      await delay(SLOW_MS);
      if (response.destroyed) return;
      say("notifications/subscriptions/acknowledged", { notifications: params.notifications });
      streams.set(response, id);
      most = Math.max(most, streams.size);
      const clock = setInterval(() => say("notifications/resources/updated", { uri: "a:0" }), 2);
      response.once("close", () => {
        clearInterval(clock);
        streams.delete(response);
      });
    });
  });
  const clock = setInterval(() => {
    if (told > 0 || streams.size > 0) told += 1;
    if (told > 0 && streams.size === 0) unheard += 1;
  }, 1);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    clearInterval(clock);
    server.closeAllConnections();
    server.close();
  });
  return { url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`), unheard: () => unheard, most: () => most, told: () => told };
}

test("while a session follows more and more at a server of 2026-07-28, there is no moment at which the server could not tell it", { timeout: 30_000 }, async (t) => {
  const { url, unheard, most, told } = await serve(t);
  const dial = async (host: string, port: number): Promise<ReturnType<typeof connect>> => connect(port, host);
  const stdio = { close: async () => undefined } as unknown as StdioServers;
  const upstreams = new Upstreams(dial, stdio, {} as unknown as Credentials, new BufferedBytes(), {});
  t.after(() => upstreams.close());
  let heard = 0;
  const core = { upstreams, listeners: { resourceUpdated: () => void (heard += 1) } } as unknown as Core;
  const subscriptions = new Subscriptions(() => core);
  const server = { identity: url.href, transport: "streamable-http", url, pin: null, settings: { era: "modern", credential: null } } as unknown as CatalogServer;
  const session = { session: { id: "s", principalId: "alice" } } as unknown as RecordedSession;
  for (let n = 0; n < 8; n += 1) {
    subscriptions.add(session, server, `a:${n}`);
    while (told() === 0) await delay(1);
    await delay(SLOW_MS / 2 + n * 10);
  }
  await delay(SLOW_MS);
  subscriptions.forget("s");
  assert.deepEqual([unheard(), most() <= 2, heard > 0], [0, true, true]);
});
