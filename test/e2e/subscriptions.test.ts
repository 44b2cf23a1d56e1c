import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { cmcp } from "../gateway/cli.ts";
import { clientOf } from "../gateway/client.ts";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { developmentEnvironment, type Gateway } from "../gateway/gateway.ts";
import { startInProcess } from "../gateway/in-process.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { writePolicySchema } from "../gateway/policy-schema.ts";
import { GRANTED, REFUSED, startSubscribingServer } from "../servers/subscribing-server.ts";

const TOKEN = "subscribing-servers-token-subscribing-servers";
type Refusal = Error & {
  readonly code?: number;
  readonly data?: {
    readonly error_code?: string;
    readonly receipt?: { readonly session_id: string; readonly decision: string };
  };
};

describe("a server that tells of one resource and not of another", { timeout: 60_000 * PATIENCE }, () => {
  let server: Awaited<ReturnType<typeof startSubscribingServer>>;
  let gateway: Gateway;
  let folder = "";
  const headers = { authorization: `Bearer ${TOKEN}` };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-subscribing-"));
    server = await startSubscribingServer();
    const config = await deploy(folder, { tools: [], policies: ALLOW_ALL });
    const imported = await cmcp([
      "catalog",
      "import",
      server.url,
      "--approved-by",
      "test@example.org",
      "--domain",
      "public",
      "--sensitivity",
      "public",
      "--resources",
      "--into",
      join(folder, "catalog.json"),
    ]);
    assert.equal(imported.code, 0, imported.stderr);
    await writePolicySchema(folder);
    gateway = await startInProcess(config, developmentEnvironment(TOKEN));
  });
  after(async () => {
    await gateway?.stop();
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const followed = async (): Promise<unknown> =>
    ((await clientOf(gateway, TOKEN).json("/v1/status")) as { load: { followed_resources: unknown } }).load
      .followed_resources;

  test("its refusal is what a legacy agent gets, and what the record says", async () => {
    const client = new Client({ name: "agent", version: "1" });
    await client.connect(new StreamableHTTPClientTransport(new URL(gateway.mcp), { requestInit: { headers } }));
    await client.subscribeResource({ uri: GRANTED });
    let sessionId = "";
    await assert.rejects(client.subscribeResource({ uri: REFUSED }), ({ code, message, data }: Refusal) => {
      sessionId = data?.receipt?.session_id ?? "";
      assert.deepEqual([code, data?.error_code, data?.receipt?.decision], [-32010, "UPSTREAM_CALL_REFUSED", "fault"]);
      return message.includes("not this one");
    });
    assert.equal(await followed(), 1);
    const { entries } = await clientOf(gateway, TOKEN).export(sessionId);
    const asked = entries
      .filter(({ entry_type: type }) => type === "tool_call")
      .map(({ tool_name: name, policy_decision: decision, detail }) => [name, decision, detail?.["outcome"]]);
    assert.deepEqual(asked, [
      [GRANTED, "allow", "subscribed"],
      [REFUSED, "fault", "refused"],
    ]);
    await client.close();
  });

  test("a modern agent's subscription is acknowledged without what it refuses", async () => {
    const envelope = {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": {},
    };
    const leaving = new AbortController();
    const response = await fetch(gateway.mcp, {
      method: "POST",
      signal: leaving.signal,
      headers: {
        ...headers,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "subscriptions/listen",
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "subscriptions/listen",
        params: { notifications: { resourceSubscriptions: [REFUSED, GRANTED] }, _meta: envelope },
      }),
    });
    const { value } = (await response.body?.getReader().read()) ?? {};
    assert.match(
      Buffer.from(value ?? []).toString(),
      /notifications\/subscriptions\/acknowledged.*"resourceSubscriptions":\["notes:\/\/granted"\]/s,
    );
    leaving.abort();
  });

  test("of a principal's sessions so many hear of resources, one more is told so, and its other requests are served", async () => {
    const clients: Client[] = [];
    const join = async (): Promise<Client> => {
      const client = new Client({ name: "agent", version: "1" });
      await client.connect(new StreamableHTTPClientTransport(new URL(gateway.mcp), { requestInit: { headers } }));
      clients.push(client);
      return client;
    };
    const streams = async (): Promise<unknown> =>
      ((await clientOf(gateway, TOKEN).json("/v1/status")) as { load: { followed_streams: unknown } }).load
        .followed_streams;
    const before = ((await streams()) as { open: number }).open;
    for (let n = before; n < 32; n += 1) await (await join()).subscribeResource({ uri: GRANTED });
    const late = await join();
    await assert.rejects(
      late.subscribeResource({ uri: GRANTED }),
      ({ data }: Refusal) => data?.error_code === "OVERLOADED",
    );
    assert.deepEqual(await streams(), { open: 32, max: 64 });
    assert.ok((await late.listResources()).resources.some(({ uri }) => uri === GRANTED));
    await clients[0]?.unsubscribeResource({ uri: GRANTED });
    await late.subscribeResource({ uri: GRANTED });
    await Promise.all(clients.map((client) => client.close()));
  });
});
