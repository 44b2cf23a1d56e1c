/** Multi Round-Trip Requests of MCP 2026-07-28 under the seal: a real server asks, the agent answers with the state, and each round is held to its receipt. */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { preset } from "@cmcp/appraise";
import { auditBundleSchema, SALTS_META_KEY, type AuditEntry, type Receipt } from "@cmcp/audit/schema";
import type { JsonObject } from "@cmcp/boundary";
import { connect, type Connection } from "@cmcp/client";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { startReferenceServer, type ReferenceServer } from "../conformance/reference-server/server.ts";
import { cmcp } from "../gateway/cli.ts";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import type { RpcReply } from "../gateway/fixture.ts";
import { developmentEnvironment, type Gateway } from "../gateway/gateway.ts";
import { startInProcess } from "../gateway/in-process.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { writePolicySchema } from "../gateway/policy-schema.ts";

const TOKEN = "sealed-questions-token-sealed-questions-token";
const EXPECTED = { allowSoftwareOnly: true, appraisal: preset("strict") } as const;
const POLICIES = `${ALLOW_ALL}
@id("servers-may-ask")
permit (principal, action == cMCP::Action::"ask_client", resource);
`;
const [ONCE, WITH_STATE, TWICE] = ["elicitation", "request_state", "multi_round"].map(
  (name) => `test_input_required_result_${name}`,
) as [string, string, string];
const ANSWER = "Ada-whom-the-host-does-not-see";
const ENVELOPE = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": { elicitation: {} },
};

describe("a server that asks an agent under the seal", { timeout: 60_000 * PATIENCE }, () => {
  let folder = "";
  let server: ReferenceServer;
  let gateway: Gateway;
  const seen: Buffer[] = [];
  const receipts: Receipt[] = [];
  let connection: Connection;
  const headers = { authorization: `Bearer ${TOKEN}` };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-sealed-questions-"));
    server = await startReferenceServer("2026-07-28");
    const config = await deploy(join(folder, "deployment"), {
      tools: [],
      policies: POLICIES,
      config: "enclave: {channel: sealed}\n",
    });
    const catalog = join(folder, "deployment/catalog.json");
    await rm(catalog);
    const approved = ["--approved-by", "test@example.org", "--domain", "public", "--sensitivity", "public"];
    const imported = await cmcp(["catalog", "import", server.url, ...approved, "--into", catalog]);
    assert.equal(imported.code, 0, imported.stderr);
    await writePolicySchema(join(folder, "deployment"));
    gateway = await startInProcess(config, developmentEnvironment(TOKEN));
    connection = await connect(new URL(gateway.url), EXPECTED, {
      crypto: webcrypto,
      onReceipt: (receipt) => receipts.push(receipt),
      fetch: async (input, init) => {
        const request = new Request(input, init);
        if (request.body !== null) seen.push(Buffer.from(await request.clone().arrayBuffer()));
        const answer = await fetch(request);
        const bytes = Buffer.from(await answer.arrayBuffer());
        seen.push(bytes);
        return new Response(bytes, { status: answer.status, headers: answer.headers });
      },
    });
  });
  after(async () => {
    await gateway?.stop();
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const entriesOf = async ({ session_id: session }: Receipt): Promise<readonly AuditEntry[]> => {
    const exported = await connection.fetch(`${gateway.url}/audit/export?session_id=${session}`, { headers });
    return auditBundleSchema.parse(await exported.json()).entries;
  };
  /** One round, written by hand. */
  const ask = async (params: object): Promise<RpcReply> => {
    const reply = await connection.fetch(gateway.mcp, {
      method: "POST",
      headers: {
        ...headers,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": WITH_STATE,
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: { name: WITH_STATE, arguments: {}, ...params, _meta: ENVELOPE },
      }),
    });
    return (await reply.json()) as RpcReply;
  };

  for (const [tool, rounds, said] of [
    [ONCE, 2, `Hello, ${ANSWER}!`],
    [WITH_STATE, 2, "state-ok"],
    [TWICE, 3, "both steps answered"],
  ] as const)
    test(`an official client answers ${tool} in ${rounds} rounds, each of which has its receipt`, async () => {
      const client = new Client(
        { name: "agent", version: "1" },
        { capabilities: { elicitation: {} }, versionNegotiation: { mode: "auto" } },
      );
      const asked: string[] = [];
      client.setRequestHandler("elicitation/create", ({ params }) => {
        asked.push(params.message);
        const { properties } = "requestedSchema" in params ? params.requestedSchema : assert.fail("a form");
        const known: Readonly<Record<string, string | boolean>> = { name: ANSWER, ok: true, color: "blue" };
        return {
          action: "accept",
          content: Object.fromEntries(Object.keys(properties).map((name) => [name, known[name] ?? ""])),
        };
      });
      await client.connect(
        new StreamableHTTPClientTransport(new URL(gateway.mcp), { fetch: connection.fetch, requestInit: { headers } }),
      );
      const before = receipts.length;
      const { content } = await client.callTool({ name: tool, arguments: {} });
      assert.deepEqual(content, [{ type: "text", text: said }]);
      assert.equal(asked.length, rounds - 1);
      const own = receipts.slice(before);
      assert.deepEqual(
        own.map(({ channel, decision }) => [channel, decision]),
        Array.from({ length: rounds }, () => ["sealed", "allow"]),
      );
      const calls = (await entriesOf(own[0] ?? assert.fail())).filter(({ call_id: id }) =>
        own.some(({ call_id: of }) => of === id),
      );
      assert.deepEqual(
        calls.map(({ detail }) => detail?.["outcome"]),
        [...Array.from({ length: rounds - 1 }, () => "input_required"), "delivered"],
      );
      await client.close();
    });

  test("what an agent writes beyond the form is refused, and what no question asks for does not go on", async () => {
    const state = async (): Promise<unknown> => (await ask({})).result?.["requestState"];
    const confirm = { action: "accept", content: { ok: true } };
    const outcomeOf = async (inputResponses: object): Promise<string> =>
      JSON.stringify((await ask({ inputResponses, requestState: await state() })).result);
    const surplus = { confirm: { action: "accept", content: { ok: true, unasked: ANSWER } } };
    assert.match(await outcomeOf(surplus), /INPUT_NOT_REQUESTED/);
    const before = receipts.length;
    const more = { confirm: { ...confirm, _meta: { note: ANSWER } } };
    const { result } = await ask({ inputResponses: more, requestState: await state() });
    assert.match(JSON.stringify(result?.["content"]), /state-ok/);
    const { [SALTS_META_KEY]: salts } = (result?.["_meta"] ?? {}) as { readonly [SALTS_META_KEY]?: JsonObject };
    assert.deepEqual(salts?.["inputResponses"], { confirm });
    assert.equal(receipts.length, before + 2, "of the question and of its answer, whose receipt opens what went on");
  });

  test("a state that is forged, or was answered already, is refused, and nothing is decided under it", async () => {
    const { result } = await ask({});
    const state = String(result?.["requestState"]);
    const inputResponses = { confirm: { action: "accept", content: { ok: true } } };
    const forged = `${state.slice(0, -2)}${state.endsWith("AA") ? "BB" : "AA"}`;
    assert.equal(
      (await ask({ inputResponses, requestState: forged })).error?.data?.error_code,
      "REQUEST_STATE_INVALID",
    );
    assert.match(JSON.stringify(await ask({ inputResponses, requestState: state })), /state-ok/);
    const again = await ask({ inputResponses, requestState: state });
    assert.equal(again.error?.data?.error_code, "REQUEST_STATE_INVALID");
  });

  test("the host saw neither questions, nor answers, nor states", async () => {
    await connection.close();
    const bytes = Buffer.concat(seen);
    assert.ok(bytes.length > 10_000);
    for (const text of [ANSWER, "What is your name?", "requestState", "inputResponses", "input_required", "state-ok"])
      assert.ok(!bytes.includes(text), text);
  });
});
