/** Tool servers that fail in every way the gateway promises to survive: a clear error, one entry each, and the next good call works. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { auditBundleSchema, type AuditEntry } from "@cmcp/audit/schema";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { developmentEnvironment, type Gateway } from "../gateway/gateway.ts";
import { startInProcess } from "../gateway/in-process.ts";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { freePort } from "../servers/everything-server.ts";
import { callReply, reply, startRawServer, type RawServer } from "../servers/hostile-servers.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";

const TOKEN = "upstream-faults-token-upstream-faults";

interface Fault {
  readonly tool: string;
  readonly code: string;
  readonly decision: AuditEntry["policy_decision"];
  readonly outcome: string;
  readonly misbehave?: Parameters<typeof startRawServer>[1];
}

const FAULTS: readonly Fault[] = [
  { tool: "slow", code: "UPSTREAM_TIMEOUT", decision: "fault", outcome: "unknown", misbehave: () => undefined },
  {
    tool: "stalls",
    code: "UPSTREAM_TIMEOUT",
    decision: "fault",
    outcome: "unknown",
    misbehave: (socket) =>
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"jsonrpc"'),
  },
  {
    tool: "garbage",
    code: "UPSTREAM_PROTOCOL_ERROR",
    decision: "fault",
    outcome: "unknown",
    misbehave: (socket) => socket.write("\u0000\u0001 not http at all\r\n\r\n"),
  },
  {
    tool: "not-json",
    code: "UPSTREAM_PROTOCOL_ERROR",
    decision: "fault",
    outcome: "unknown",
    misbehave: (socket) => socket.write(reply("{]")),
  },
  {
    tool: "ten-megabytes",
    code: "RESPONSE_SIZE_EXCEEDED",
    decision: "fault",
    outcome: "unknown",
    misbehave: (socket, { id }) => socket.write(reply(callReply(id, "x".repeat(10_000_000)))),
  },
  {
    tool: "over-the-limit",
    code: "RESPONSE_SIZE_EXCEEDED",
    decision: "deny",
    outcome: "withheld",
    misbehave: (socket, { id }) => socket.write(reply(callReply(id, "x".repeat(150_000)))),
  },
  {
    tool: "other-id",
    code: "UPSTREAM_PROTOCOL_ERROR",
    decision: "fault",
    outcome: "unknown",
    misbehave: (socket) => socket.write(reply(callReply(424_242, "not yours"))),
  },
  {
    tool: "hangs-up",
    code: "UPSTREAM_UNAVAILABLE",
    decision: "fault",
    outcome: "unknown",
    misbehave: (socket) => socket.destroy(),
  },
  {
    tool: "redirects",
    code: "UPSTREAM_PROTOCOL_ERROR",
    decision: "fault",
    outcome: "unknown",
    misbehave: (socket) =>
      socket.write("HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:9/mcp\r\ncontent-length: 0\r\n\r\n"),
  },
  { tool: "down", code: "UPSTREAM_UNAVAILABLE", decision: "fault", outcome: "not-sent" },
  { tool: "other-key", code: "UPSTREAM_IDENTITY_MISMATCH", decision: "fault", outcome: "not-sent" },
];

describe("tool servers that misbehave", () => {
  const servers: RawServer[] = [];
  let folder: string;
  let records: RecordsServer;
  let gateway: Gateway;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-upstream-"));
    records = await startRecordsServer();
    const good = await startRawServer("good", (socket, { id }) => socket.write(reply(callReply(id, "fine"))));
    servers.push(good);
    const tools = [{ name: "good", url: good.url }];
    for (const { tool, misbehave } of FAULTS) {
      if (misbehave === undefined) continue;
      const server = await startRawServer(tool, misbehave);
      servers.push(server);
      tools.push({ name: tool, url: server.url });
    }
    tools.push({ name: "down", url: `http://127.0.0.1:${await freePort()}/mcp` });
    const otherKey = {
      name: "other-key",
      url: `https://127.0.0.1:${records.port}/mcp`,
      fingerprint: "SHA256:Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyISE=",
    };
    const config = await deploy(join(folder, "d"), {
      tools: [...tools, otherKey],
      policies: ALLOW_ALL,
      config:
        "max_response_size_bytes: 100000\nenclave:\n  upstream_connect_timeout_ms: 800\n  " +
        "upstream_idle_timeout_ms: 800\n  upstream_call_timeout_ms: 2000\n",
    });
    gateway = await startInProcess(config, developmentEnvironment(TOKEN));
  });

  after(async () => {
    await gateway.stop();
    for (const server of servers) await server.close();
    await records.close();
    await rm(folder, { recursive: true, force: true });
  });

  const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
  const call = async (tool: string, session: string): Promise<{ status: number; body: RpcReply }> => {
    const response = await fetch(gateway.mcp, {
      method: "POST",
      headers,
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: { name: tool, arguments: {}, _cmcp: { session_id: session } },
      }),
    });
    return { status: response.status, body: (await response.json()) as RpcReply };
  };

  for (const { tool, code, decision, outcome } of FAULTS) {
    test(`${tool}: ${code}, recorded as ${decision}, ${outcome}`, async () => {
      const reply = await call(tool, tool);
      assert.equal(reply.body.error?.data?.error_code, code);
      const receipt = receiptOf(reply.body);
      assert.equal(receipt.decision, decision);
      const good = await call("good", tool);
      assert.equal(good.status, 200, "the next good call in the same session works");
      const bundle = auditBundleSchema.parse(
        await (await fetch(`${gateway.url}/audit/export?session_id=${receipt.session_id}`, { headers })).json(),
      );
      const mine = bundle.entries.filter((entry) => entry.tool_name === tool);
      assert.equal(mine.length, 1, "exactly one entry for the call");
      assert.equal(mine[0]?.policy_decision, decision);
      assert.equal(mine[0]?.detail?.["outcome"], outcome);
      assert.equal(mine[0]?.detail?.["error_code"], code);
    });
  }

  test("an agent that goes away cancels its call, which is recorded", async () => {
    const controller = new AbortController();
    const pending = fetch(gateway.mcp, {
      method: "POST",
      headers,
      signal: controller.signal,
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: { name: "slow", arguments: {}, _cmcp: { session_id: "gone" } },
      }),
    });
    setTimeout(() => controller.abort(), 200);
    await assert.rejects(pending);
    const after = await call("good", "gone");
    const receipt = receiptOf(after.body);
    const bundle = auditBundleSchema.parse(
      await (await fetch(`${gateway.url}/audit/export?session_id=${receipt.session_id}`, { headers })).json(),
    );
    const slow = bundle.entries.find((entry) => entry.tool_name === "slow");
    assert.equal(slow?.policy_decision, "fault");
    assert.equal(slow?.detail?.["error_code"], "REQUEST_CANCELLED");
  });
});
