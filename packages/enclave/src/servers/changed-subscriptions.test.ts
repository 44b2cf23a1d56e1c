import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { silentPeer } from "@cmcp/mcp";
import { directUpstreams, remoteServer } from "../testing/servers.ts";
import { Subscriptions } from "./subscriptions.ts";
import { Upstreams } from "./upstreams.ts";

type Era = "modern" | "legacy";

/** Time until a stream is there, in milliseconds: what is said meanwhile is not said on it. */
const SLOW_MS = 40;
const EVENTS = { "content-type": "text/event-stream" };

interface Message {
  readonly id?: number;
  readonly method: string;
  readonly params: {
    readonly notifications?: { readonly resourceSubscriptions?: readonly string[] };
    readonly uri?: string;
  };
}

/** A server that tells every other millisecond of every resource it was asked about, on the streams that are there. */
class TellingServer {
  readonly #server = createServer(
    (request, response) =>
      void text(request).then((body) =>
        request.method === "GET" ? this.#attend(response) : this.#answer(JSON.parse(body || "{}") as Message, response),
      ),
  );
  readonly #era: Era;
  /** Of each stream, what tells on it. */
  readonly #streams = new Map<ServerResponse, () => void>();
  readonly #subscribed = new Set<string>();
  readonly #clock = setInterval(() => {
    for (const tell of this.#streams.values()) tell();
    if (this.most > 0 && this.#streams.size === 0) this.silent += 1;
    this.most = Math.max(this.most, this.#streams.size);
  }, 2);
  /** Times that there was nothing to tell on, after there had been. */
  silent = 0;
  /** Streams there were at one time; in the modern era, what only asks whether a resource can be followed is one too. */
  most = 0;

  constructor(era: Era) {
    this.#era = era;
  }

  async listen(t: TestContext): Promise<URL> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    t.after(() => {
      clearInterval(this.#clock);
      this.#server.closeAllConnections();
      this.#server.close();
    });
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/mcp`);
  }

  /** The session's one stream (MCP 2025-11-25, "Listening for Messages from the Server"); another is refused, as by the official SDK. */
  #attend(response: ServerResponse): void {
    if (this.#streams.size > 0) response.writeHead(409).end();
    else void this.#tell(response, {}, () => [...this.#subscribed]);
  }

  #answer({ id, method, params }: Message, response: ServerResponse): void {
    if (id === undefined) return void response.writeHead(202).end();
    if (method === "subscriptions/listen") {
      const { notifications } = params;
      const about = { _meta: { "io.modelcontextprotocol/subscriptionId": id } };
      return void this.#tell(response, about, () => notifications?.resourceSubscriptions ?? [], { notifications });
    }
    if (method === "resources/subscribe" && params.uri !== undefined) this.#subscribed.add(params.uri);
    const result =
      method === "initialize"
        ? {
            protocolVersion: "2025-11-25",
            capabilities: { resources: { subscribe: true } },
            serverInfo: { name: "telling", version: "1" },
          }
        : {};
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id, result }));
  }

  async #tell(
    response: ServerResponse,
    about: object,
    uris: () => readonly string[],
    acknowledged?: object,
  ): Promise<void> {
    const say = (method: string, params: object): boolean =>
      response.write(`data: ${JSON.stringify({ jsonrpc: "2.0", method, params: { ...params, ...about } })}\n\n`);
    response.writeHead(200, EVENTS).flushHeaders();
    await delay(SLOW_MS);
    if (response.destroyed) return;
    if (this.#era === "modern") say("notifications/subscriptions/acknowledged", acknowledged ?? {});
    this.#streams.set(response, () => uris().forEach((uri) => say("notifications/resources/updated", { uri })));
    response.once("close", () => this.#streams.delete(response));
  }
}

for (const era of ["modern", "legacy"] as const) {
  test(`while a session follows more and more at a ${era} server, there is no moment at which it could not be told, and it is told of all`, {
    timeout: 30_000,
  }, async (t) => {
    const told = new TellingServer(era);
    const url = await told.listen(t);
    const upstreams = new Upstreams(directUpstreams());
    t.after(() => upstreams.close());
    const heard = new Set<string>();
    const subscriptions = new Subscriptions(upstreams, { resourceUpdated: (_, uri) => void heard.add(uri) });
    const server = remoteServer(url, "streamable-http", era);
    const session = { id: "s", principalId: "alice" };
    const uris = Array.from({ length: 8 }, (_, n) => `a:${n}`);
    for (const uri of uris) {
      await upstreams.subscribe(
        server,
        session,
        {
          request: { method: "resources/subscribe", params: { uri } },
          followed: subscriptions.followedUris(session, server),
        },
        silentPeer(AbortSignal.timeout(10_000)),
      );
      subscriptions.add(session, server, uri);
      // The first is waited for; from then on somebody can always be told.
      for (; !heard.has("a:0"); told.silent = 0) await delay(1);
      await delay(SLOW_MS / 2);
    }
    while (heard.size < uris.length) await delay(10);
    subscriptions.forget("s");
    assert.deepEqual([told.silent, [...heard].sort(), told.most <= (era === "modern" ? 3 : 1)], [0, uris, true]);
  });
}
