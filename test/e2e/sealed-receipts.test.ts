/** Every answer that crosses the seal opens what its receipt commits to, in both eras: streams, questions, errors and refusals. */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { preset } from "@cmcp/appraise";
import { SALTS_META_KEY, type Receipt } from "@cmcp/audit/schema";
import { connect, type Connection } from "@cmcp/client";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Client as V1Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as V1Transport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema, LoggingMessageNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { developmentEnvironment, type Gateway } from "../gateway/gateway.ts";
import { startInProcess } from "../gateway/in-process.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { writePolicySchema } from "../gateway/policy-schema.ts";
import { ASKING_TOOLS, startQuestionsServer, type QuestionsServer } from "../servers/questions-server.ts";

const TOKEN = "receipts-under-the-seal-receipts-under-the-seal";
const EXPECTED = { allowSoftwareOnly: true, appraisal: preset("strict") } as const;
const POLICIES = `${ALLOW_ALL}
@id("servers-may-ask")
permit (principal, action == cMCP::Action::"ask_client", resource);
@id("never-leaves")
forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"leaves");
`;

describe("receipts under the seal", { timeout: 60_000 * PATIENCE }, () => {
  let server: QuestionsServer;
  let gateway: Gateway;
  let connection: Connection;
  let folder = "";
  const kept: Receipt[] = [];
  const requestInit = { headers: { authorization: `Bearer ${TOKEN}` } };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-receipts-"));
    server = await startQuestionsServer();
    const config = await deploy(folder, {
      tools: ASKING_TOOLS.map((name) => ({ name, url: server.url })),
      policies: POLICIES,
    });
    await writePolicySchema(folder);
    await writeFile(config, `${await readFile(config, "utf8")}\nenclave: {channel: sealed}\n`);
    gateway = await startInProcess(config, developmentEnvironment(TOKEN));
    connection = await connect(new URL(gateway.url), EXPECTED, {
      crypto: webcrypto,
      onReceipt: (receipt) => kept.push(receipt),
    });
  });
  after(async () => {
    await gateway?.stop();
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  test("of an agent of the session era, whom servers ask and tell before they answer", async () => {
    const client = new V1Client({ name: "agent", version: "1" }, { capabilities: { elicitation: {} } });
    const heard: unknown[] = [];
    client.setRequestHandler(ElicitRequestSchema, () => ({ action: "accept", content: {}, extra: "of the agent's" }));
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void heard.push(params.data));
    await client.connect(new V1Transport(new URL(gateway.mcp), { fetch: connection.fetch, requestInit }));
    const before = kept.length;
    assert.match(JSON.stringify(await client.callTool({ name: "asks-form", arguments: {} })), /accept/);
    const told = await client.callTool({ name: "takes-back", arguments: {} });
    assert.match(JSON.stringify(told.content), /tookBack/);
    assert.match(JSON.stringify(told._meta?.[SALTS_META_KEY]), /"request":"[0-9a-f]{64}"/);
    assert.deepEqual(heard, ["went on"]);
    const denied = await client.callTool({ name: "leaves", arguments: {} });
    assert.equal(denied.isError, true);
    const broken = await client.callTool({ name: "breaks-off", arguments: {} });
    assert.equal(broken.isError, true);
    assert.deepEqual(
      kept.slice(before).map(({ decision }) => decision),
      ["allow", "allow", "deny", "fault"],
    );
    await client.close();
  });

  test("of an agent of the modern era, and of a single POST, whose refusals are errors", async () => {
    const client = new Client(
      { name: "agent", version: "1" },
      { capabilities: { elicitation: {} }, versionNegotiation: { mode: "auto" } },
    );
    await client.connect(
      new StreamableHTTPClientTransport(new URL(gateway.mcp), { fetch: connection.fetch, requestInit }),
    );
    const before = kept.length;
    await client.callTool({ name: "asks-form", arguments: {} });
    assert.equal((await client.callTool({ name: "leaves", arguments: {} })).isError, true);
    await client.close();
    const reply = await connection.fetch(gateway.mcp, {
      method: "POST",
      headers: { ...requestInit.headers, "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "leaves" } }),
    });
    assert.equal(reply.status, 403);
    const { error } = (await reply.json()) as { error: { data: { salts: object; receipt: Receipt } } };
    assert.deepEqual(Object.keys(error.data.salts).toSorted(), ["request", "response"]);
    assert.deepEqual(
      kept.slice(before).map(({ decision }) => decision),
      ["allow", "deny", "deny"],
    );
    assert.deepEqual(kept.at(-1), error.data.receipt);
  });
});
