/** Labels as sets, and integrity: what a session has seen decides what it may still do. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { clientOf, type Client } from "../gateway/client.ts";
import { deploy, type ToolEntry } from "../gateway/deployment.ts";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { developmentEnvironment, type Gateway } from "../gateway/gateway.ts";
import { startInProcess } from "../gateway/in-process.ts";
import { writePolicySchema } from "../gateway/policy-schema.ts";
import { callReply, reply, startRawServer, type RawServer } from "../servers/hostile-servers.ts";

const TOKEN = "labels-token-labels-token-labels-token-lab";
const STATE = { type: "object", properties: { state: { type: "string", enum: ["open", "paid"] } } };
const POLICIES = `
  @id("all") permit (principal, action, resource);
  @id("one-secret") forbid (principal, action, resource == cMCP::Resource::"post")
    when { context.compartments.contains("mnpi") };
  @id("no-strangers") forbid (principal, action, resource == cMCP::Resource::"publish")
    when { context.integrity == "untrusted" };`;
const SETTINGS = "sensitivity: {compliance_domains: {gdpr: true}}\ncatalog: {drift_policy: warn_only}\n";
/** What each tool answers: a text, or a value of the schema above. */
const TOOLS: readonly Omit<ToolEntry, "url">[] = [
  { name: "read_web" },
  { name: "read_wiki", integrity: "trusted" },
  { name: "invoice_state", outputSchema: STATE },
  { name: "patient", sensitivityLevel: "hipaa_phi", integrity: "trusted" },
  { name: "deal", complianceDomain: "mnpi", integrity: "trusted" },
  { name: "partner", complianceDomain: "gdpr", integrity: "trusted" },
  { name: "post", integrity: "trusted" },
  { name: "publish", integrity: "trusted" },
  { name: "pay", consequential: true, integrity: "trusted" },
];

function answerOf(tool: string, id: number | null): string {
  if (tool !== "invoice_state") return callReply(id, `said by ${tool}`);
  const value = { state: "open" };
  const result = { content: [{ type: "text", text: JSON.stringify(value) }], structuredContent: value };
  return JSON.stringify({ jsonrpc: "2.0", id, result });
}

function codeOf(body: RpcReply): unknown {
  return body.error?.data?.error_code ?? "ok";
}

describe("labels of what a session has seen", () => {
  const servers: RawServer[] = [];
  let folder: string;
  let gateway: Gateway;
  let client: Client;

  async function start(config = ""): Promise<void> {
    folder = await mkdtemp(join(tmpdir(), "cmcp-labels-"));
    const tools: ToolEntry[] = [];
    for (const tool of TOOLS) {
      const server = await startRawServer(tool.name, (socket, { id }) => socket.write(reply(answerOf(tool.name, id))));
      servers.push(server);
      tools.push({ ...tool, url: server.url });
    }
    const path = await deploy(join(folder, "d"), { tools, policies: POLICIES, config: `${SETTINGS}${config}` });
    await writePolicySchema(join(folder, "d"));
    gateway = await startInProcess(path, developmentEnvironment(TOKEN));
    client = clientOf(gateway, TOKEN);
  }
  const inDefaultSession = async (name: string): Promise<RpcReply> =>
    (await client.rpc("tools/call", { name, arguments: {} })).body;

  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
    await gateway.stop();
    await rm(folder, { recursive: true, force: true });
  });

  describe("with the integrity of each session by itself", () => {
    beforeEach(async () => await start());

    test("text of a server without trust ends consequential calls, and rules see it; other text does not", async () => {
      for (const name of ["read_wiki", "invoice_state", "pay", "publish"])
        assert.equal(codeOf(await inDefaultSession(name)), "ok", name);
      assert.equal(codeOf(await inDefaultSession("read_web")), "ok");
      const refused = await inDefaultSession("pay");
      assert.equal(codeOf(refused), "SESSION_UNTRUSTED");
      assert.equal(codeOf(await inDefaultSession("publish")), "SESSION_SENSITIVITY_POLICY_DENY");
      const { entries } = await client.export(receiptOf(refused).session_id);
      const calls = entries.filter(({ entry_type: type }) => type === "tool_call");
      assert.deepEqual(
        calls.map(({ tool_name: tool, policy_decision: decision, detail }) => [tool, decision, detail?.["integrity"]]),
        [
          ["read_wiki", "allow", undefined],
          ["invoice_state", "allow", undefined],
          ["pay", "allow", undefined],
          ["publish", "allow", undefined],
          ["read_web", "allow", "untrusted"],
          ["pay", "step_up", "untrusted"],
          ["publish", "deny", "untrusted"],
        ],
      );
    });

    test("a session opened beside an untrusted one may not call what is consequential", async () => {
      await client.call("read_web", "reading");
      assert.equal(codeOf((await client.call("pay", "fresh")).body), "SESSION_UNTRUSTED");
      assert.equal(codeOf((await client.call("publish", "fresh")).body), "ok", "its own integrity is another");
      assert.equal(codeOf(await inDefaultSession("pay")), "ok");
    });

    test("compartments of one rank stand side by side, in entries and for rules, with one label for other tools", async () => {
      assert.equal(codeOf((await client.call("patient", "s")).body), "ok");
      assert.equal(codeOf((await client.call("post", "s")).body), "ok", "a patient's record is no deal");
      assert.equal(codeOf((await client.call("deal", "s")).body), "ok");
      const { body } = await client.call("post", "s");
      assert.equal(codeOf(body), "SESSION_SENSITIVITY_POLICY_DENY");
      const { session_id: session } = receiptOf(body);
      const { entries } = await client.export(session);
      assert.deepEqual(
        entries.map((entry) => [entry.tool_name, entry.session_sensitivity_after, entry.detail?.["compartments"]]),
        [
          [null, "public", undefined],
          ["patient", "hipaa_phi", "hipaa_phi"],
          ["post", "hipaa_phi", "hipaa_phi"],
          ["deal", "hipaa_phi", "hipaa_phi,mnpi"],
          ["post", "hipaa_phi", "hipaa_phi,mnpi"],
        ],
      );
      const claim = await client.close(session);
      assert.equal(claim.gateway.call_summary.session_max_sensitivity, "hipaa_phi");
      const { entries: next } = await client.export(receiptOf((await client.call("read_wiki", "n")).body).session_id);
      assert.equal(next[0]?.detail?.["compartments"], "hipaa_phi,mnpi", "the root of a later session has them, too");
    });

    test("leaving a regulated domain of the deployment is a crossing", async () => {
      await client.call("partner", "s");
      const { session_id: session } = receiptOf((await client.call("read_wiki", "s")).body);
      const { call_graph_summary: graph } = (await client.close(session)).gateway.call_summary;
      assert.deepEqual(graph.compliance_domains_touched, ["gdpr", "public"]);
      assert.deepEqual(
        graph.cross_boundary_events.map(({ from_domain: from, to_domain: to }) => [from, to]),
        [["gdpr", "public"]],
      );
    });
  });

  test("under the scope principal, one session's integrity is every session's", async () => {
    await start("enclave:\n  integrity: {scope: principal}\n");
    assert.equal(codeOf((await client.call("pay", "before")).body), "ok");
    await client.call("read_web", "reading");
    assert.equal(codeOf(await inDefaultSession("pay")), "SESSION_UNTRUSTED");
    assert.equal(codeOf((await client.call("publish", "fresh")).body), "SESSION_SENSITIVITY_POLICY_DENY");
  });
});
