/** The endpoint of a workflow, `/mcp/NAME`: its tools under one name, through a real host, in both eras, in the clear and sealed. */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { preset } from "@cmcp/appraise";
import { connect } from "@cmcp/client";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Agent } from "../demo/agent.ts";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { startDeployment, type Deployment } from "../gateway/principals.ts";
import { stateless } from "../gateway/stateless.ts";

const MESSAGE = { to: "ops@example.org", text: "hello" };
const ERAS = ["sessions", "stateless"] as const;
const OPENING = {
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "t", version: "1" } },
};

interface Reply {
  readonly status: number;
  readonly handle: string | null;
  readonly text: string;
  readonly body: RpcReply;
}

describe("the endpoint of a workflow", () => {
  let deployment: Deployment;
  before(async () => {
    deployment = await startDeployment({ agent: ["messages", "records", "idle"], clerk: ["records"] }, [
      "workflow_tools: {messages: [echo, get-env, send_message], records: [get_patient_record]}",
    ]);
  });
  after(() => deployment.close());

  const at = (workflow: string): string => `${deployment.gateway.mcp}/${workflow}`;
  /** One JSON-RPC POST to a path. */
  const post = async (
    path: string,
    request: { readonly method: string; readonly params?: object },
    { principal = "agent", headers = {} }: { readonly principal?: string; readonly headers?: object } = {},
  ): Promise<Reply> => {
    const answer = await deployment.agent(deployment.tokenOf(principal)).request(path, {
      method: "POST",
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, ...request }),
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
    });
    const { status, text } = answer;
    return { status, handle: answer.headers.get("mcp-session-id"), text, body: JSON.parse(text) as RpcReply };
  };
  const call = (name: string, args: object = {}, context?: object): { method: string; params: object } => ({
    method: "tools/call",
    params: { name, arguments: args, ...(context === undefined ? {} : { _cmcp: context }) },
  });
  const codeOf = ({ body }: Pick<Reply, "body">): unknown => body.error?.data?.error_code;

  test("lists the workflow's tools that policy lets the caller use, to official clients of both eras", async () => {
    for (const era of ERAS) {
      const listed = async (mcp: string): Promise<string[]> => {
        const agent = await Agent.connect(mcp, deployment.tokenOf("agent"), era);
        try {
          return await agent.tools();
        } finally {
          await agent.close();
        }
      };
      assert.deepEqual(await listed(at("messages")), ["echo", "send_message"], era);
      assert.deepEqual(await listed(at("records")), ["get_patient_record"], era);
      assert.deepEqual(await listed(at("idle")), [], "a workflow without tools");
      assert.deepEqual(
        await listed(deployment.gateway.mcp),
        ["echo", "get-sum", "get_patient_record", "send_message"],
        "beside it nothing changes",
      );
    }
  });

  test("calls the workflow's tools, in its name, and refuses every other like one that there is not", async () => {
    const reached = deployment.records.calls.length;
    for (const era of ERAS) {
      const agent = await Agent.connect(at("messages"), deployment.tokenOf("agent"), era);
      const sent = await agent.call("send_message", MESSAGE);
      assert.ok(sent.allowed, JSON.stringify(sent));
      const [foreign, unknown] = [await agent.call("get_patient_record", {}), await agent.call("no_such_tool", {})];
      assert.ok(!foreign.allowed && !unknown.allowed);
      assert.deepEqual(
        [foreign.code, foreign.message.replaceAll("get_patient_record", "")],
        ["TOOL_NOT_IN_CATALOG", unknown.message.replaceAll("no_such_tool", "")],
      );
      await agent.close();
    }
    assert.equal(deployment.records.calls.length, reached + ERAS.length, "what is refused does not leave");
    const refused = await post("/mcp/messages", call("get_patient_record"));
    const { session_id: session, call_id: id } = receiptOf(refused.body);
    const { text } = await deployment.agent(deployment.tokenOf("agent")).request(`/audit/export?session_id=${session}`);
    const { entries } = JSON.parse(text) as { entries: Record<string, unknown>[] };
    const entry = entries.find(({ call_id: its }) => its === id);
    assert.deepEqual(
      [entry?.["workflow_id"], entry?.["policy_decision"], entry?.["policy_rule_matched"]],
      ["messages", "deny", "not-in-catalog"],
    );
  });

  test("takes no request in the name of another workflow", async () => {
    for (const headers of [{}, { "x-mcp-workflow-id": "records" }]) {
      const context = "x-mcp-workflow-id" in headers ? undefined : { workflow_id: "records" };
      const answer = await post("/mcp/messages", call("send_message", MESSAGE, context), { headers });
      assert.equal(codeOf(answer), "WORKFLOW_NOT_ALLOWED");
    }
    assert.equal((await post("/mcp/messages", call("send_message", MESSAGE, { workflow_id: "messages" }))).status, 200);
  });

  test("is refused to a caller of other workflows, like one that there is not", async () => {
    const list = { method: "tools/list", params: {} };
    const [foreign, none] = [
      await post("/mcp/messages", list, { principal: "clerk" }),
      await post("/mcp/nowhere", list, { principal: "clerk" }),
    ];
    assert.deepEqual([foreign.status, codeOf(foreign)], [403, "WORKFLOW_NOT_ALLOWED"]);
    assert.deepEqual([foreign.status, foreign.text], [none.status, none.text]);
    assert.equal((await post("/mcp/records", list, { principal: "clerk" })).status, 200);
  });

  test("shares no session with another endpoint, whether it is named by handle or by label", async () => {
    const paths = ["/mcp", "/mcp/messages", "/mcp/records"];
    for (const path of paths) {
      const { handle } = await post(path, OPENING);
      assert.ok(handle !== null);
      for (const other of paths) {
        const answer = await post(other, { method: "tools/list" }, { headers: { "mcp-session-id": handle } });
        if (other === path) assert.equal(answer.status, 200);
        else assert.deepEqual([answer.status, codeOf(answer)], [404, "MCP_SESSION_UNKNOWN"], `${path} at ${other}`);
      }
    }
    for (const label of [undefined, "one"]) {
      const context = { workflow_id: "messages", ...(label === undefined ? {} : { session_id: label }) };
      const sessionAt = async (path: string): Promise<string> =>
        receiptOf((await post(path, call("send_message", MESSAGE, context))).body).session_id;
      const own = await sessionAt("/mcp/messages");
      assert.equal(await sessionAt("/mcp/messages"), own);
      assert.notEqual(await sessionAt("/mcp"), own);
    }
    const token = deployment.tokenOf("agent");
    const asked = { name: "send_message", arguments: MESSAGE };
    const modern = await stateless({ mcp: at("messages"), token }, "tools/call", asked);
    assert.equal(modern.status, 200);
    assert.equal(
      receiptOf(modern.body).session_id,
      receiptOf((await post("/mcp/messages", call("send_message", MESSAGE))).body).session_id,
    );
  });

  test("is named under the seal alone, where the host does not see it", async () => {
    const paths = new Set<string>();
    const watching: typeof fetch = async (input, init) => {
      const request = new Request(input, init);
      paths.add(new URL(request.url).pathname);
      return await fetch(request);
    };
    const expected = { allowSoftwareOnly: true, appraisal: preset("strict") };
    const sessions: string[] = [];
    const connection = await connect(new URL(deployment.gateway.url), expected, {
      crypto: webcrypto,
      fetch: watching,
      onReceipt: ({ session_id: session }) => void sessions.push(session),
    });
    for (const mode of ["legacy", "auto"] as const) {
      const client = new Client({ name: "sealed", version: "1" }, { versionNegotiation: { mode } });
      const headers = { authorization: `Bearer ${deployment.tokenOf("agent")}` };
      await client.connect(
        new StreamableHTTPClientTransport(new URL(at("records")), {
          fetch: connection.fetch,
          requestInit: { headers },
        }),
      );
      assert.deepEqual(
        (await client.listTools()).tools.map(({ name }) => name),
        ["get_patient_record"],
      );
      const refused = await client.callTool({ name: "send_message", arguments: MESSAGE });
      assert.equal(refused.isError, true);
      await client.close();
    }
    assert.equal(sessions.length, 2, "answers are held to their receipts as at /mcp");
    assert.ok(paths.has("/sealed"));
    assert.ok([...paths].every((path) => !path.includes("records")));
  });

  test("has no other form: a name that is none is no path of the gateway", async () => {
    for (const path of ["/mcp/", "/mcp/a/b", "/mcp/.hidden", `/mcp/${"a".repeat(129)}`])
      assert.equal((await post(path, { method: "tools/list" })).status, 404, path);
    assert.equal((await post("/mcp/record%73", { method: "tools/list" })).status, 400, "nothing is decoded");
  });
});
