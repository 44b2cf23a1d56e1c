/** Servers that ask agents for something, and do not always wait for it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from "@modelcontextprotocol/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema, type ClientCapabilities } from "@modelcontextprotocol/sdk/types.js";
import { clientOf } from "../gateway/client.ts";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { developmentEnvironment, type Gateway } from "../gateway/gateway.ts";
import { startInProcess } from "../gateway/in-process.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { writePolicySchema } from "../gateway/policy-schema.ts";
import { ASKING_TOOLS, startQuestionsServer, type QuestionsServer } from "../servers/questions-server.ts";

const TOKEN = "asking-servers-token-asking-servers-token";
const POLICIES = `${ALLOW_ALL}
@id("servers-may-ask")
permit (principal, action == cMCP::Action::"ask_client", resource);
`;

describe("a server that asks agents", { timeout: 60_000 * PATIENCE }, () => {
  let server: QuestionsServer;
  let gateway: Gateway;
  let folder = "";
  const headers = { authorization: `Bearer ${TOKEN}` };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-asking-"));
    server = await startQuestionsServer();
    const config = await deploy(folder, {
      tools: ASKING_TOOLS.map((name) => ({ name, url: server.url })),
      policies: POLICIES,
    });
    await writePolicySchema(folder);
    gateway = await startInProcess(config, developmentEnvironment(TOKEN));
  });
  after(async () => {
    await gateway?.stop();
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** An agent that never answers, and the signals of what it was asked. */
  async function silent(
    capabilities: ClientCapabilities = { elicitation: {} },
  ): Promise<{ client: Client; asked: AbortSignal[] }> {
    const client = new Client({ name: "agent", version: "1" }, { capabilities });
    const asked: AbortSignal[] = [];
    client.setRequestHandler(ElicitRequestSchema, async (_, { signal }) => {
      asked.push(signal);
      return await new Promise<never>(() => undefined);
    });
    await client.connect(new StreamableHTTPClientTransport(new URL(gateway.mcp), { requestInit: { headers } }));
    return { client, asked };
  }

  const textOf = (result: unknown): string => JSON.stringify((result as { content?: unknown }).content);
  const questionsOpen = async (): Promise<number> =>
    ((await clientOf(gateway, TOKEN).json("/v1/status")) as { load: { questions: { open: number } } }).load.questions
      .open;

  for (const tool of ["takes-back", "leaves"] as const) {
    test(`goes on without the answer (${tool}): the result comes, and the agent's question is void`, async () => {
      const { client, asked } = await silent();
      assert.match(textOf(await client.callTool({ name: tool, arguments: {} })), /tookBack|left/);
      assert.equal(asked.length, 1);
      for (const signal of asked) if (!signal.aborted) await once(signal, "abort");
      assert.equal(await questionsOpen(), 0);
      await client.close();
    });
  }

  test("leaves no place of questions taken, however many of its calls are over", async () => {
    const { client } = await silent();
    for (let count = 0; count < 40; count += 1) await client.callTool({ name: "leaves", arguments: {} });
    assert.equal(await questionsOpen(), 0);
    await client.close();
    const answering = new Client({ name: "agent", version: "1" }, { capabilities: { elicitation: {} } });
    answering.setRequestHandler(ElicitRequestSchema, () => ({ action: "accept", content: {} }));
    await answering.connect(new StreamableHTTPClientTransport(new URL(gateway.mcp), { requestInit: { headers } }));
    assert.match(textOf(await answering.callTool({ name: "asks-form", arguments: {} })), /accept/);
    await answering.close();
  });

  test("is answered as the protocol has it when it asks in a mode that the agent did not declare", async () => {
    const { client, asked } = await silent({ elicitation: { form: {} }, roots: { listChanged: true } });
    const before = server.got.length;
    assert.match(textOf(await client.callTool({ name: "asks-url", arguments: {} })), /-32602/);
    assert.deepEqual(asked, []);
    const told = server.got.slice(before).find(({ method }) => method === "initialize")?.params?.capabilities;
    assert.deepEqual(told, { elicitation: { form: {} }, roots: {} });
    await client.close();
  });

  test("is not told that it could ask an agent of the modern era, and is answered so when it does", async () => {
    const client = new ModernClient(
      { name: "agent", version: "1" },
      { capabilities: { elicitation: {} }, versionNegotiation: { mode: "auto" } },
    );
    await client.connect(new ModernTransport(new URL(gateway.mcp), { requestInit: { headers } }));
    const before = server.got.length;
    assert.match(textOf(await client.callTool({ name: "asks-form", arguments: {} })), /-32601/);
    const told = server.got.slice(before).find(({ method }) => method === "initialize")?.params?.capabilities;
    assert.deepEqual(told, {});
    await client.close();
  });

  test("runs a call once whose stream broke off and is not gone on with; the record says that its outcome is unknown", async () => {
    const { status, body } = await clientOf(gateway, TOKEN).call("breaks-off", "broken");
    assert.deepEqual([status, body.error?.data?.error_code], [502, "UPSTREAM_PROTOCOL_ERROR"]);
    assert.equal(server.calls("breaks-off"), 1);
    const sessionId = (body.error?.data?.["receipt"] as { session_id: string } | undefined)?.session_id ?? "";
    const { entries } = await clientOf(gateway, TOKEN).export(sessionId);
    assert.deepEqual([entries.at(-1)?.policy_decision, entries.at(-1)?.detail?.["outcome"]], ["fault", "unknown"]);
  });
});
