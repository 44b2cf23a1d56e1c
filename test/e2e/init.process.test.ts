/** `cmcp init`: what it writes validates, starts, and serves the official client. It overwrites nothing. */
import assert from "node:assert/strict";
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { cmcp } from "../gateway/cli.ts";
import { startGateway, StartRefused } from "../gateway/gateway.ts";
import { startChangingServer } from "../servers/changing-server.ts";
import { startEverythingServer, type ServerProcess } from "../servers/everything-server.ts";
import { installTree } from "../spawner/installed-tree.ts";

const require = createRequire(import.meta.url);
const APPROVED = ["--approved-by", "you@example.com", "--listen", "127.0.0.1:0"];
const DEVELOPMENT = { CMCP_DEV_MODE: "1" };

interface Written {
  readonly config: string;
  readonly token_file: string;
  readonly development: boolean;
  readonly reads: readonly string[];
  readonly others: readonly string[];
  readonly said_to_read: readonly string[];
  readonly closed: readonly string[];
}

async function initialized(folder: string, args: readonly string[]): Promise<Written> {
  const { code, stdout, stderr } = await cmcp(["init", folder, ...APPROVED, ...args, "--json"]);
  assert.equal(code, 0, stdout + stderr);
  return JSON.parse(stdout) as Written;
}

/** Starts a deployment, and connects the official client with the token that stands beside it. */
async function agentOf(
  t: TestContext,
  { config, token_file: file }: Written,
  env: Record<string, string>,
): Promise<Client> {
  const gateway = await startGateway(config, env).catch(async (thrown: unknown) => {
    // A machine that confines nothing starts it in development mode only.
    if (!(thrown instanceof StartRefused) || !/"(?:ISOLATION|SPAWN)_UNAVAILABLE"/.test(thrown.output)) throw thrown;
    return await startGateway(config, DEVELOPMENT);
  });
  t.after(() => gateway.stop());
  const authorization = `Bearer ${(await readFile(file, "utf8")).trim()}`;
  const client = new Client({ name: "agent", version: "1" });
  await client.connect(
    new StreamableHTTPClientTransport(new URL(gateway.mcp), { requestInit: { headers: { authorization } } }),
  );
  t.after(() => client.close());
  return client;
}

/** What a call came to: its text, or that it was refused. */
async function called(client: Client, name: string, args: Record<string, unknown>): Promise<string> {
  const { isError, content } = CallToolResultSchema.parse(await client.callTool({ name, arguments: args }));
  const text = content.map((item) => (item.type === "text" ? item.text : item.type)).join("");
  return isError === true ? `refused: ${text}` : text;
}

describe("cmcp init", () => {
  let folder: string;
  let server: ServerProcess;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-init-"));
    server = await startEverythingServer();
  });
  after(async () => {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });
  const url = (): string => `http://127.0.0.1:${server.port}/mcp`;

  test("without a server: a deployment that validates, and whose secrets are its owner's", async () => {
    const { config, token_file: token, reads, others } = await initialized(join(folder, "bare"), []);
    assert.deepEqual([reads, others], [[], []]);
    const { code, stdout } = await cmcp(["validate-config", "--config", config, "--json"], DEVELOPMENT);
    assert.equal(code, 0, stdout);
    for (const secret of [token, join(dirname(config), "tokens")])
      assert.equal((await stat(secret)).mode & 0o777, 0o600, secret);
  });

  test("in front of a server over HTTP: validates, has nothing to lint, and serves what was found to read", async (t) => {
    const written = await initialized(join(folder, "http"), ["--server", url(), "--read", "echo"]);
    const { config, development, reads, others } = written;
    assert.deepEqual([development, reads], [true, ["echo"]]);
    assert.ok(others.includes("get-env"));
    const at = dirname(config);
    const [valid, lint] = await Promise.all([
      cmcp(["validate-config", "--config", config], DEVELOPMENT),
      cmcp(["policy", "lint", join(at, "policies"), "--catalog", join(at, "catalog.json")]),
    ]);
    assert.deepEqual([valid.code, lint.stdout], [0, "nothing found\n"]);
    const client = await agentOf(t, written, DEVELOPMENT);
    assert.match(await called(client, "echo", { message: "hello" }), /hello/);
    assert.match(await called(client, "get-env", {}), /^refused: .*requires an approval/);
    assert.match(await called(client, "echo", { message: "hello", more: 1 }), /^refused: .*arguments/);
  });

  test("in front of a stdio server: measures its files, takes its word where told to, and serves it", async (t) => {
    const tree = join(folder, "files");
    const name = "@modelcontextprotocol/server-filesystem";
    const installed = dirname(require.resolve(`${name}/package.json`));
    const script = join(installTree(installed, name, tree), "dist/index.js");
    const server = ["--stdio", tree, "--script", script, "--arg", "/tmp"];
    const written = await initialized(join(folder, "stdio"), [...server, "--read-hints"]);
    assert.deepEqual([written.development, written.reads], [false, written.said_to_read]);
    assert.ok(written.reads.includes("list_allowed_directories") && written.others.includes("write_file"));
    assert.ok(written.closed.includes("read_text_file"));
    const client = await agentOf(t, written, {});
    assert.match(await called(client, "list_allowed_directories", {}), /\/tmp/);
    assert.match(
      await called(client, "write_file", { path: "/tmp/note", content: "x" }),
      /^refused: .*requires an approval/,
    );
  });

  test("a server's own word that a tool only reads permits nothing by itself", async () => {
    const { reads, said_to_read: said } = await initialized(join(folder, "unread"), ["--server", url()]);
    assert.deepEqual(reads, []);
    assert.ok(said.includes("echo"));
  });

  test("what is there already stays as it is", async () => {
    const there = join(folder, "there");
    await cp(join(folder, "bare"), there, { recursive: true });
    await writeFile(join(there, "catalog.json"), "mine");
    const { code, stderr } = await cmcp(["init", there, ...APPROVED]);
    assert.equal(code, 64);
    assert.match(stderr, /never overwritten/);
    assert.equal(await readFile(join(there, "catalog.json"), "utf8"), "mine");
  });

  test("a tool with hidden instructions, a server that does not answer, and contradictions leave nothing", async () => {
    const poisoned = await startChangingServer("lookup");
    poisoned.change({ description: "Looks up.\u200b\u{e0041}\u{e0042}" });
    const before = await readdir(folder);
    const script = ["--script", "index.js"];
    const refusals: readonly (readonly [args: readonly string[], code: number])[] = [
      [["--server", poisoned.url], 10],
      [["--server", "http://127.0.0.1:1/mcp"], 10],
      [["--stdio", join(folder, "bare"), ...script], 10],
      [["--server", url(), "--read", "no-such"], 64],
      [["--server", url(), "--stdio", folder, ...script], 64],
      [script, 64],
      [["--stdio", folder], 64],
      [["--pin", `SHA256:${"A".repeat(43)}=`], 64],
      [["--trust", "webpki"], 64],
      [["--server", url(), "--trust", "webpki"], 64],
    ];
    for (const [args, code] of refusals)
      assert.equal((await cmcp(["init", join(folder, "none"), ...APPROVED, ...args])).code, code, args.join(" "));
    await poisoned.close();
    assert.deepEqual(await readdir(folder), before);
  });
});
