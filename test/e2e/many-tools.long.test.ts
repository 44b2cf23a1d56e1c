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

test("ten thousand tools are listed page by page, each once and in order", {
  timeout: 120_000 * PATIENCE,
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-lists-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const tools = Array.from({ length: 10_000 }, (_, index) => ({
    name: `tool-${index}`,
    url: `http://127.0.0.1:${(index % 3) + 7}/mcp`,
  }));
  const odd = `${ALLOW_ALL}\n@id("not-the-second-server")\nforbid (principal, action, resource) when { resource.server_identity == "http://127.0.0.1:8/mcp" };\n`;
  const token = newToken();
  const gateway = await startInProcess(await deploy(folder, { tools, policies: odd }), developmentEnvironment(token));
  try {
    const client = clientOf(gateway, token);
    const names: string[] = [];
    let cursor: unknown;
    do {
      const { body } = await client.rpc("tools/list", cursor === undefined ? {} : { cursor });
      const page = (body.result?.["tools"] ?? []) as { name: string }[];
      assert.ok(page.length <= 500);
      names.push(...page.map(({ name }) => name));
      cursor = body.result?.["nextCursor"];
    } while (cursor !== undefined);
    assert.deepEqual(
      names,
      tools.filter((_, index) => index % 3 !== 1).map(({ name }) => name),
    );
  } finally {
    await gateway.stop();
  }
});
