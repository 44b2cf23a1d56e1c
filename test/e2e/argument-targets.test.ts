/** Paths and URLs reach the rules in one form, however they are written, and reach the server as they were written. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { deploy } from "../gateway/deployment.ts";
import type { RpcReply } from "../gateway/fixture.ts";
import type { Gateway } from "../gateway/gateway.ts";
import { startInProcess } from "../gateway/in-process.ts";
import { callReply, reply, startRawServer, type RawServer } from "../servers/hostile-servers.ts";

const RULES = `
@id("all") permit (principal, action, resource);
@id("below-data")
forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"read_file")
unless { !context.argument_path_escapes && context.argument_common_path like "/srv/data/*" };
@id("no-metadata")
forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"fetch")
when { context.argument_hosts.contains("169.254.169.254") };`;

const text = (name: string): { type: "object"; properties: { [name: string]: { type: "string" } } } => ({
  type: "object",
  properties: { [name]: { type: "string" } },
});

describe("paths and URLs in arguments", () => {
  const servers: RawServer[] = [];
  let calls = 0;
  let folder = "";
  let gateway: Gateway;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-targets-"));
    const serve = async (name: string, argument: string): Promise<RawServer> =>
      await startRawServer(
        name,
        (socket, { id }) => {
          calls += 1;
          socket.write(reply(callReply(id, "done")));
        },
        () => ({ tools: [{ name, description: `${name}.`, inputSchema: text(argument) }] }),
      );
    const [files, fetcher] = [await serve("read_file", "path"), await serve("fetch", "url")];
    servers.push(files, fetcher);
    const config = await deploy(folder, {
      tools: [
        { name: "read_file", url: files.url, inputSchema: text("path"), argumentKinds: { path: "path" } },
        { name: "fetch", url: fetcher.url, inputSchema: text("url") },
      ],
      policies: RULES,
    });
    gateway = await startInProcess(config, { CMCP_DEV_MODE: "1" });
  });
  after(async () => {
    await gateway?.stop();
    for (const server of servers) await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function refusal(name: string, args: object): Promise<string | undefined> {
    const response = await fetch(gateway.mcp, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args } }),
    });
    const body = (await response.json()) as RpcReply;
    return body.error?.data?.error_code;
  }

  test("one rule keeps a file tool below a folder, whichever way a path leaves it", async () => {
    for (const path of [
      "../../etc/passwd",
      "%2e%2e/%2e%2e/etc/passwd",
      "..\\..\\etc\\passwd",
      "/srv/data/../../etc/passwd",
      "/srv/data/%252e%252e/%252e%252e/etc/passwd",
      "/srv/data/..\uFF0F..\uFF0Fetc/passwd",
      "/srv/data-of-others/x",
      "etc/passwd",
      "file:///etc/passwd",
      "/srv/data/x\0/../../../etc/passwd",
    ])
      assert.equal(await refusal("read_file", { path }), "POLICY_DENY", path);
    assert.equal(calls, 0);
    for (const path of ["/srv/data/report.txt", "/srv/data/a/../b", "/srv//data/c"])
      assert.equal(await refusal("read_file", { path }), undefined, path);
  });

  test("one rule keeps a fetch tool from an address, whichever way it is written", async () => {
    const before = calls;
    for (const host of [
      "169.254.169.254",
      "2852039166",
      "0xA9.0xFE.0xA9.0xFE",
      "0251.0376.0251.0376",
      "[::ffff:169.254.169.254]",
      "user@169.254.169.254.:80",
      "\u2460\u2465\u2468.254.169.254",
    ])
      assert.equal(await refusal("fetch", { url: `http://${host}/latest/meta-data` }), "POLICY_DENY", host);
    assert.equal(calls, before);
    assert.equal(await refusal("fetch", { url: "https://example.com/" }), undefined);
  });
});
