import assert from "node:assert/strict";
import { createServer, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { test, type TestContext } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import type { RequestAuthorization } from "./authorization.ts";
import { UpstreamClient } from "./client.ts";
import { OriginFetch } from "./origin-fetch.ts";

interface Refusing {
  readonly url: URL;
  readonly seen: { readonly authorization: string | undefined; readonly method: string }[];
}

/** A legacy server that refuses every request whose token it does not take. */
async function serverTaking(t: TestContext, takes: (token: string | undefined) => number): Promise<Refusing> {
  const seen: Refusing["seen"] = [];
  const bodyOf = async (request: IncomingMessage): Promise<Record<string, unknown>> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    return JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
  };
  const server = createServer((request, response) => {
    void bodyOf(request).then(({ id, method }) => {
      const { authorization } = request.headers;
      seen.push({ authorization, method: String(method) });
      const status = takes(authorization);
      if (status !== 200) {
        response.writeHead(status, { "content-type": "application/json", "www-authenticate": "Bearer" });
        return response.end(JSON.stringify({ error: "invalid_token" }));
      }
      if (id === undefined) return response.writeHead(202).end();
      const results: Record<string, object> = {
        initialize: { protocolVersion: "2025-11-25", capabilities: {}, serverInfo: { name: "s", version: "1" } },
        "tools/call": { content: [] },
      };
      response.writeHead(200, { "content-type": "application/json" });
      return response.end(JSON.stringify({ jsonrpc: "2.0", id, result: results[String(method)] ?? {} }));
    });
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => server.close());
  const address = server.address();
  return { url: new URL(`http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/mcp`), seen };
}

function clientOf(t: TestContext, url: URL, authorization: RequestAuthorization): UpstreamClient {
  const client = new UpstreamClient({
    url,
    dial: async (host, port) => connect(port, host),
    tls: { mode: "none" },
    clientInfo: { name: "gateway", version: "1" },
    era: "legacy",
    authorization,
  });
  t.after(() => client.close());
  return client;
}

const TOOL = { name: "tool", inputSchema: { type: "object" } };
const call = async (client: UpstreamClient): Promise<unknown> =>
  await client.callTool("session", TOOL, {}, new AbortController().signal);

/** Tokens by number: the next one after each refusal. */
function renewing(): RequestAuthorization & { number: number } {
  return {
    number: 1,
    headers: async function () {
      return { authorization: `Bearer t${this.number}` };
    },
    answered: function ({ status, sent }) {
      if (status !== 401) return null;
      if (sent["authorization"] === `Bearer t${this.number}`) this.number += 1;
      return "token";
    },
  };
}

test("a request that is refused for its token is made once more with another, and not a third time", async (t) => {
  const { url, seen } = await serverTaking(t, (token) => (token === "Bearer t1" ? 401 : 200));
  assert.deepEqual(await call(clientOf(t, url, renewing())), { content: [] });
  assert.deepEqual(
    seen.map(({ authorization, method }) => `${method} ${authorization}`),
    ["initialize Bearer t1", "initialize Bearer t2", "notifications/initialized Bearer t2", "tools/call Bearer t2"],
  );
  const never = await serverTaking(t, () => 401);
  await assert.rejects(call(clientOf(t, never.url, renewing())), { code: "UPSTREAM_PROTOCOL_ERROR" });
  assert.equal(never.seen.length, 2);
});

test("a call that may have run is never made again", async (t) => {
  for (const status of [500, 502, 403, 400]) {
    let calls = 0;
    const { url, seen } = await serverTaking(t, () => 200);
    const refusing = renewing();
    const client = clientOf(t, url, refusing);
    await call(client);
    seen.length = 0;
    const failing = await serverTaking(t, () => (calls++ < 2 ? 200 : status));
    await assert.rejects(call(clientOf(t, failing.url, renewing())));
    assert.equal(failing.seen.filter(({ method }) => method === "tools/call").length, 1, String(status));
  }
});

test("a request that cannot be authorized is not sent, and keeps its reason", async (t) => {
  const { url, seen } = await serverTaking(t, () => 200);
  const client = clientOf(t, url, {
    headers: async () => {
      throw new CmcpError("CONSENT_REQUIRED", "a person first", {
        detail: { sent: 0, consent_url: "https://a.example" },
      });
    },
    answered: () => null,
  });
  await assert.rejects(
    call(client),
    (thrown) =>
      thrown instanceof CmcpError &&
      thrown.code === "CONSENT_REQUIRED" &&
      thrown.detail["sent"] === 0 &&
      thrown.detail["consent_url"] === "https://a.example",
  );
  assert.deepEqual(seen, []);
});

test("what is fetched goes to the origins that were named, and to no other", async (t) => {
  const { url } = await serverTaking(t, () => 200);
  const closing = new AbortController();
  t.after(() => closing.abort());
  const origins = new Map([[url.origin, { mode: "none" } as const]]);
  const fetched = new OriginFetch(origins, async (host, port) => connect(port, host), closing.signal);
  const request = { method: "POST", headers: { "content-type": "application/json" } };
  const answer = await fetched.fetch(`${url.origin}/any`, { ...request, body: '{"id":1,"method":"tools/call"}' });
  assert.deepEqual(await answer.json(), { jsonrpc: "2.0", id: 1, result: { content: [] } });
  await assert.rejects(fetched.fetch("http://127.0.0.1:1/any", { ...request, body: "{}" }), {
    code: "AUTHORIZATION_SERVER_NOT_ALLOWED",
  });
});
