import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from "@modelcontextprotocol/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema, ResourceUpdatedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { verifyBundle } from "@cmcp/verify";
import { cmcp } from "../gateway/cli.ts";
import { clientOf } from "../gateway/client.ts";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { developmentEnvironment, type Gateway } from "../gateway/gateway.ts";
import { startInProcess } from "../gateway/in-process.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { writePolicySchema } from "../gateway/policy-schema.ts";
import { startEverythingServer, type ServerProcess } from "../servers/everything-server.ts";

const POLICIES = `${ALLOW_ALL}
@id("servers-may-ask")
permit (principal, action == cMCP::Action::"ask_client", resource);
@id("no-architecture")
forbid (principal, action == cMCP::Action::"read_resource", resource) when { resource.uri == "demo://resource/static/document/architecture.md" };
`;

describe("resources, prompts and completion in front of a real server", { timeout: 120_000 * PATIENCE }, () => {
  let server: ServerProcess;
  let gateway: Gateway;
  let folder = "";
  const token = randomBytes(32).toString("base64url");
  const headers = { authorization: `Bearer ${token}` };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-resources-"));
    server = await startEverythingServer();
    const config = await deploy(folder, { tools: [], policies: POLICIES });
    const imported = await cmcp([
      "catalog",
      "import",
      `http://127.0.0.1:${server.port}/mcp`,
      "--approved-by",
      "test@example.org",
      "--domain",
      "public",
      "--sensitivity",
      "public",
      "--resources",
      "--prompts",
      "--into",
      join(folder, "catalog.json"),
    ]);
    assert.equal(imported.code, 0, imported.stderr);
    await writePolicySchema(folder);
    gateway = await startInProcess(config, developmentEnvironment(token));
  });
  after(async () => {
    await gateway?.stop();
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function legacy(capabilities: ConstructorParameters<typeof Client>[1] = {}): Promise<Client> {
    const client = new Client({ name: "agent", version: "1" }, capabilities);
    await client.connect(new StreamableHTTPClientTransport(new URL(gateway.mcp), { requestInit: { headers } }));
    return client;
  }

  test("an agent lists, reads, gets and completes what was approved", async () => {
    const client = await legacy();
    const { resources } = await client.listResources();
    const first = resources[1]?.uri ?? "";
    assert.ok(resources.length > 1, `${resources.length}`);
    const { contents } = await client.readResource({ uri: first });
    assert.equal(contents[0]?.uri, first);
    const { resourceTemplates } = await client.listResourceTemplates();
    assert.ok(resourceTemplates.some(({ uriTemplate }) => uriTemplate.includes("{")));
    const { prompts } = await client.listPrompts();
    assert.ok(prompts.some(({ name }) => name === "simple-prompt"));
    assert.equal((await client.getPrompt({ name: "simple-prompt" })).messages[0]?.role, "user");
    const completed = await client.complete({
      ref: { type: "ref/prompt", name: "completable-prompt" },
      argument: { name: "department", value: "E" },
    });
    assert.ok(completed.completion.values.every((value) => value.startsWith("E")));
    await client.close();
  });

  test("what policy forbids and what nobody approved is refused and recorded", async () => {
    const client = await legacy();
    await assert.rejects(
      client.readResource({ uri: "demo://resource/static/document/architecture.md" }),
      (error: { code?: number; data?: { error_code?: string } }) => error.data?.error_code === "POLICY_DENY",
    );
    await assert.rejects(
      client.readResource({ uri: "file:///etc/passwd" }),
      (error: { code?: number; data?: { error_code?: string } }) =>
        error.code === -32002 && error.data?.error_code === "RESOURCE_NOT_IN_CATALOG",
    );
    await assert.rejects(
      client.getPrompt({ name: "nobody-approved" }),
      (error: { code?: number; data?: { error_code?: string } }) =>
        error.code === -32602 && error.data?.error_code === "PROMPT_NOT_IN_CATALOG",
    );
    const completing = (ref: Parameters<Client["complete"]>[0]["ref"], code: string): Promise<void> =>
      assert.rejects(
        client.complete({ ref, argument: { name: "department", value: "E" } }),
        (error: { code?: number; data?: { error_code?: string } }) => error.data?.error_code === code,
      );
    await completing({ type: "ref/prompt", name: "nobody-approved" }, "PROMPT_NOT_IN_CATALOG");
    await completing({ type: "ref/resource", uri: "file:///{path}" }, "RESOURCE_NOT_IN_CATALOG");
    await client.close();
    const auditor = clientOf(gateway, token);
    const read = await auditor.rpc("resources/read", { uri: "file:///etc/passwd", _cmcp: { session_id: "audited" } });
    assert.equal(read.body.error?.data?.error_code, "RESOURCE_NOT_IN_CATALOG");
    const template = await auditor.rpc("resources/read", {
      uri: "demo://resource/dynamic/text/1",
      _cmcp: { session_id: "audited" },
    });
    assert.ok(template.body.result, JSON.stringify(template.body));
    const receipt = (template.body.result["_meta"] as Record<string, { session_id: string }>)["cmcp.gateway/receipt"];
    const sessionId = receipt?.session_id ?? "";
    const claim = await auditor.close(sessionId);
    const bundle = await auditor.export(sessionId);
    const calls = bundle.entries.filter(({ entry_type: type }) => type === "tool_call");
    assert.deepEqual(
      calls.map(({ detail, policy_decision: decision }) => [detail?.["method"], decision]),
      [
        ["resources/read", "deny"],
        ["resources/read", "allow"],
      ],
    );
    assert.match(
      calls[1]?.tool_name ?? "",
      /^demo:\/\/resource\/dynamic\/text\/\{/,
      "the template, not the URI, is what was approved",
    );
    assert.equal(claim.gateway.call_summary.tool_calls_total, 2);
    const verdict = await verifyBundle(
      { bundle: Buffer.from(JSON.stringify(bundle)) },
      { allowSoftwareOnly: true, trustedKey: claim.trace.cnf.jwk.x },
      globalThis.crypto,
    );
    assert.equal(verdict.outcome, "accepted");
  });

  test("progress reaches the agent before the result, in both eras", async () => {
    const client = await legacy();
    const seen: number[] = [];
    await client.callTool({ name: "trigger-long-running-operation", arguments: { duration: 1, steps: 3 } }, undefined, {
      onprogress: ({ progress }) => seen.push(progress),
    });
    assert.deepEqual(seen, [1, 2, 3]);
    await client.close();
    const modern = new ModernClient({ name: "agent", version: "1" }, { versionNegotiation: { mode: "auto" } });
    await modern.connect(new ModernTransport(new URL(gateway.mcp), { requestInit: { headers } }));
    const again: number[] = [];
    await modern.callTool(
      { name: "trigger-long-running-operation", arguments: { duration: 1, steps: 2 } },
      { onprogress: ({ progress }) => again.push(progress) },
    );
    assert.deepEqual(again, [1, 2]);
    await modern.close();
  });

  test("a server's question reaches the agent and the agent's answer the server", async () => {
    const client = await legacy({ capabilities: { elicitation: {} } });
    let asked = "";
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
      asked = params.message;
      return { action: "accept", content: { name: "Ada" } };
    });
    const result = await client.callTool({ name: "trigger-elicitation-request", arguments: {} });
    assert.match(JSON.stringify(result.content), /Ada/);
    assert.notEqual(asked, "");
    await client.close();
  });

  test("a question that an agent leaves unanswered takes no place of requests that run, and others are served meanwhile", async () => {
    const client = await legacy({ capabilities: { elicitation: {} } });
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    client.setRequestHandler(ElicitRequestSchema, async () => {
      asked.resolve();
      await answer.promise;
      return { action: "decline" };
    });
    const calling = client.callTool({ name: "trigger-elicitation-request", arguments: {} });
    await asked.promise;
    const auditor = clientOf(gateway, token);
    const { load } = (await auditor.json("/v1/status")) as {
      load: { requests: { running: number }; questions: { open: number } };
    };
    assert.deepEqual([load.requests.running, load.questions.open], [0, 1]);
    assert.equal(
      (await auditor.rpc("prompts/get", { name: "simple-prompt", _cmcp: { session_id: "meanwhile" } })).status,
      200,
    );
    answer.resolve();
    assert.match(JSON.stringify((await calling).content), /declin/i);
    await client.close();
  });

  test("a resource that is followed is told of when it changes", async () => {
    const client = await legacy();
    const updated = Promise.withResolvers<string>();
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => updated.resolve(params.uri));
    const uri = (await client.listResources()).resources[0]?.uri ?? "";
    await client.subscribeResource({ uri });
    await client.callTool({ name: "toggle-subscriber-updates", arguments: {} });
    assert.equal(await updated.promise, uri);
    const { status, body } = await clientOf(gateway, token).rpc("resources/subscribe", {
      uri,
      _cmcp: { session_id: "single" },
    });
    assert.deepEqual(
      [status, body.error?.code, body.error?.data?.error_code],
      [501, -32601, "NOT_SUPPORTED"],
      "a single request has no stream",
    );
    await client.unsubscribeResource({ uri });
    await client.callTool({ name: "toggle-subscriber-updates", arguments: {} });
    await client.close();
  });
});
