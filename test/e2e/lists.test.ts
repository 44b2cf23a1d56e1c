import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { clientOf } from "../gateway/client.ts";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { developmentEnvironment } from "../gateway/gateway.ts";
import { startInProcess } from "../gateway/in-process.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { newToken } from "../gateway/principals.ts";

const POLICIES = `${ALLOW_ALL}
@id("a-path-is-needed")
forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"needs-path") unless { context.arguments has path };
@id("never")
forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"forbidden");
@id("never-whatever-the-path")
forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"forbidden") unless { context.arguments has path };
`;

test("a tool that policy forbids without some argument is listed, one that it always forbids is not", {
  timeout: 60_000 * PATIENCE,
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-lists-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const inputSchema = { type: "object", properties: { path: { type: "string" } } };
  const tools = ["open", "needs-path", "forbidden"].map((name) => ({
    name,
    url: "http://127.0.0.1:9/mcp",
    inputSchema,
  }));
  const token = newToken();
  const gateway = await startInProcess(
    await deploy(folder, { tools, policies: POLICIES }),
    developmentEnvironment(token),
  );
  try {
    const client = clientOf(gateway, token);
    const { body } = await client.rpc("tools/list", {});
    const listed = (body.result?.["tools"] ?? []) as { name: string }[];
    assert.deepEqual(
      listed.map(({ name }) => name),
      ["open", "needs-path"],
    );
    assert.equal(
      (await client.call("needs-path", "s")).body.error?.data?.error_code,
      "POLICY_DENY",
      "shown is not allowed",
    );
  } finally {
    await gateway.stop();
  }
});
