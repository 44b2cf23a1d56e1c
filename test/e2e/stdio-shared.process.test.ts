/** Sessions of one principal share the process of a stdio server: what each may cost, tell and take from the others. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  ElicitRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { clientOf } from "../gateway/client.ts";
import { developmentEnvironment, startGateway, type Gateway } from "../gateway/gateway.ts";
import { eventually } from "../gateway/principals.ts";
import { refusedCode } from "../gateway/refused-call.ts";
import { deployStdioServer } from "../gateway/stdio-server.ts";
import { processesWith } from "../spawner/fixture.ts";

/** Only `plain` may ask, and of `patient` a field is never shown. */
const POLICIES = `
@id("patient")
@redact_fields("ssn")
permit (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"patient");
@id("others")
permit (principal, action == cMCP::Action::"call_tool", resource) when { resource != cMCP::Resource::"patient" };
@id("follow")
permit (principal, action == cMCP::Action::"subscribe_resource", resource);
@id("plain-may-ask")
permit (principal, action == cMCP::Action::"ask_client", resource == cMCP::Resource::"plain");
`;
const TIMEOUT_MS = 2_000;

interface Load {
  readonly requests: { readonly running: number };
  readonly followed_resources: number;
  readonly servers: { readonly requests: number; readonly unattributed: number };
  readonly buffered_bytes: { readonly held: number };
}

describe("sessions that share a stdio server's process", { timeout: 120_000 }, () => {
  let folder = "";
  let tree = "";
  let gateway: Gateway;
  const token = randomBytes(32).toString("base64url");
  const agents: { client: Client; transport: StreamableHTTPClientTransport }[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-shared-"));
    await chmod(folder, 0o755);
    const deployed = await deployStdioServer(folder, "shared-stdio.mjs", {
      tools: ["patient", "plain", "deaf", "touch", "crash"],
      resources: ["test://x", "test://y"],
      policies: POLICIES,
      projections: {
        patient: { type: "object", properties: { ssn: { type: "string" }, ok: { type: "boolean" } } },
      },
      config: `enclave:\n  upstream_call_timeout_ms: ${TIMEOUT_MS}\n  upstream_idle_timeout_ms: ${TIMEOUT_MS}\n`,
    });
    tree = deployed.tree;
    gateway = await startGateway(deployed.config, developmentEnvironment(token));
  });
  after(async () => {
    for (const { client } of agents) await client.close();
    await gateway?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** An agent in a session of its own, and what it hears. */
  async function agent(): Promise<{ client: Client; transport: StreamableHTTPClientTransport; heard: string[] }> {
    const client = new Client({ name: "agent", version: "1" }, { capabilities: { elicitation: {} } });
    const heard: string[] = [];
    client.setNotificationHandler(
      LoggingMessageNotificationSchema,
      ({ params }) => void heard.push(`log ${String(params.data)}`),
    );
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void heard.push(params.uri));
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
      heard.push(`asked ${params.message}`);
      return { action: "decline" };
    });
    const transport = new StreamableHTTPClientTransport(new URL(gateway.mcp), {
      requestInit: { headers: { authorization: `Bearer ${token}` } },
    });
    await client.connect(transport);
    agents.push({ client, transport });
    return { client, transport, heard };
  }
  const load = async (): Promise<Load> => (await clientOf(gateway, token).json("/v1/status")).load as Load;
  const text = async (client: Client, name: string): Promise<string> =>
    JSON.stringify((await client.callTool({ name, arguments: {} })).content);
  const codeOf = async (call: Promise<unknown>): Promise<string | undefined> =>
    await call.then(
      (result) => refusedCode(result as object) ?? "answered",
      (error: { data?: { error_code?: string } }) => error.data?.error_code,
    );

  test("what the server says while calls of two sessions run reaches neither, whatever each may hear and be asked", async () => {
    const [one, other] = [await agent(), await agent()];
    const before = (await load()).servers.unattributed;
    const [patient, plain] = await Promise.all([text(one.client, "patient"), text(other.client, "plain")]);
    assert.deepEqual([one.heard, other.heard], [[], []]);
    assert.doesNotMatch(patient, /123-45-6789/);
    assert.match(patient, /ok/);
    assert.match(plain, /asked: -32601/);
    assert.equal((await load()).servers.unattributed, before + 2);
  });

  test("each session hears of what it follows until it gives it up, and again after the server was restarted", async () => {
    const [one, other] = [await agent(), await agent()];
    const touched = async (): Promise<[string, string[], string[]]> => {
      const told = JSON.parse(await text(one.client, "touch")) as { text: string }[];
      const uris = (told[0]?.text ?? "").split(" ");
      await eventually("who follows hears", () => one.heard.length + other.heard.length >= uris.length);
      return [uris.join(" "), one.heard.splice(0), other.heard.splice(0)];
    };
    /** Waits until the server knows that so much is followed and no more, and forgets what was heard meanwhile. */
    const followed = async (uris: string): Promise<void> => {
      await eventually(`the server knows of ${uris}`, async () =>
        (await text(one.client, "touch")).includes(`"${uris}"`),
      );
      one.heard.length = 0;
      other.heard.length = 0;
    };
    await one.client.subscribeResource({ uri: "test://x" });
    await other.client.subscribeResource({ uri: "test://x" });
    await other.client.subscribeResource({ uri: "test://y" });
    await followed("test://x test://y");
    assert.deepEqual(await touched(), ["test://x test://y", ["test://x"], ["test://x", "test://y"]]);
    await other.client.unsubscribeResource({ uri: "test://x" });
    assert.deepEqual(await touched(), ["test://x test://y", ["test://x"], ["test://y"]]);
    assert.equal(await codeOf(other.client.callTool({ name: "crash", arguments: {} })), "UPSTREAM_UNAVAILABLE");
    await eventually(
      "the server runs again",
      async () => (await codeOf(one.client.callTool({ name: "touch", arguments: {} }))) === "answered",
    );
    await followed("test://x test://y");
    assert.deepEqual(await touched(), ["test://x test://y", ["test://x"], ["test://y"]]);
    await other.transport.terminateSession();
    await followed("test://x");
    assert.equal((await load()).followed_resources, 1);
    await one.transport.terminateSession();
  });

  test("a server that reads no more costs a call its time, is ended and started again, and keeps no session open", async () => {
    const { client, transport } = await agent();
    const pids = processesWith(tree);
    assert.equal(await codeOf(client.callTool({ name: "deaf", arguments: {} })), "UPSTREAM_TIMEOUT");
    const large = { name: "plain", arguments: { padding: "x".repeat(900_000) } };
    assert.equal(await codeOf(client.callTool(large)), "UPSTREAM_TIMEOUT");
    const gone = new AbortController();
    const left = client.callTool(large, undefined, { signal: gone.signal }).catch(() => undefined);
    setTimeout(() => gone.abort(), 200);
    await left;
    await transport.terminateSession();
    const { requests, servers } = await load();
    assert.deepEqual([requests.running, servers.requests], [0, 0]);
    await eventually("what was not read is held no more", async () => (await load()).buffered_bytes.held < 900_000);
    const next = await agent();
    await eventually(
      "another process answers",
      async () => (await codeOf(next.client.callTool({ name: "touch", arguments: {} }))) === "answered",
    );
    assert.ok(processesWith(tree).some((pid) => !pids.includes(pid)));
  });
});
