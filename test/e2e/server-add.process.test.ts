/** `cmcp server add`: published servers of npm and PyPI, pinned, measured and served; and what it refuses. Packages that cannot be had skip. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { access, chmod, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { cmcp, type CommandResult } from "../gateway/cli.ts";
import { startGateway, StartRefused } from "../gateway/gateway.ts";
import { startChangingServer } from "../servers/changing-server.ts";
import { OWN } from "../spawner/fixture.ts";

const EMAIL = ["--approved-by", "you@example.com"];
/** How long adding one server may take: its packages come over the network. */
const ADD_MS = 400_000;
const DEVELOPMENT = { CMCP_DEV_MODE: "1" };

interface Added {
  readonly tree: string | null;
  readonly lock_file: string | null;
  readonly packages: readonly { readonly name: string; readonly version: string; readonly integrity: string }[];
  readonly reads: readonly string[];
  readonly others: readonly string[];
  readonly closed: readonly string[];
  readonly renamed: readonly { readonly name: string; readonly at_server: string }[];
}

/** A deployment without a server. */
async function deployment(folder: string): Promise<string> {
  const made = join(folder, "gateway");
  const { code, stderr } = await cmcp(["init", made, ...EMAIL, "--listen", "127.0.0.1:0"]);
  assert.equal(code, 0, stderr);
  return join(made, "cmcp-config.yaml");
}

async function add(config: string, source: string, ...args: readonly string[]): Promise<CommandResult> {
  return await cmcp(["server", "add", source, "--config", config, ...EMAIL, ...args, "--json"], {}, ADD_MS);
}

async function added(config: string, source: string, ...args: readonly string[]): Promise<Added> {
  const { code, stdout, stderr } = await add(config, source, ...args);
  assert.equal(code, 0, stdout + stderr);
  return JSON.parse(stdout) as Added;
}

/** {@link added}; `null`, and the test is skipped, where the machine or its registries do not have what is needed. */
async function addedOrSkipped(
  t: TestContext,
  config: string,
  source: string,
  ...args: readonly string[]
): Promise<Added | null> {
  const run = await add(config, source, ...args);
  const { code = "" } = (JSON.parse(run.stdout) as { error?: { code?: string } }).error ?? {};
  if (process.env["CMCP_REQUIRE_ALL"] !== "1" && ["PROGRAM_MISSING", "PACKAGE_UNAVAILABLE"].includes(code)) {
    t.skip(`${source} cannot be had here: ${run.stdout}`);
    return null;
  }
  assert.equal(run.code, 0, run.stdout + run.stderr);
  return JSON.parse(run.stdout) as Added;
}

async function errorOf(run: Promise<CommandResult>): Promise<{ code: string; message: string; exit: number }> {
  const { code: exit, stdout } = await run;
  const { code, message } = (JSON.parse(stdout) as { error: { code: string; message: string } }).error;
  return { code, message, exit };
}

/** Starts the deployment, and connects the official client. */
async function agentOf(t: TestContext, config: string): Promise<Client> {
  const gateway = await startGateway(config, {}).catch(async (thrown: unknown) => {
    // A machine that confines nothing starts it in development mode only.
    if (!(thrown instanceof StartRefused) || !/"(?:ISOLATION|SPAWN)_UNAVAILABLE"/.test(thrown.output)) throw thrown;
    return await startGateway(config, DEVELOPMENT);
  });
  t.after(() => gateway.stop());
  const authorization = `Bearer ${(await readFile(join(dirname(config), "agent-token"), "utf8")).trim()}`;
  const client = new Client({ name: "agent", version: "1" });
  await client.connect(
    new StreamableHTTPClientTransport(new URL(gateway.mcp), { requestInit: { headers: { authorization } } }),
  );
  t.after(() => client.close());
  return client;
}

async function called(client: Client, name: string, args: Record<string, unknown>): Promise<string> {
  const { isError, content } = CallToolResultSchema.parse(await client.callTool({ name, arguments: args }));
  const text = content.map((item) => (item.type === "text" ? item.text : item.type)).join("");
  return isError === true ? `refused: ${text}` : text;
}

/** A folder for one test. */
async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-add-"));
  await chmod(folder, 0o755);
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A stdio server in one file without dependencies, which lists these tools and answers each call with its name. */
const serverFile = (tools: readonly object[]): string => `
import { createInterface } from "node:readline";
const tools = ${JSON.stringify(tools)};
const say = (id, result) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id, result }) + "\\n");
createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params } = JSON.parse(line);
  if (method === "initialize") say(id, { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "s", version: "1" } });
  if (method === "tools/list") say(id, { tools });
  if (method === "tools/call") say(id, { content: [{ type: "text", text: "called " + params.name + " " + JSON.stringify(params.arguments) }] });
});
`;
const LOOKUP = {
  name: "lookup",
  description: "Looks something up.",
  inputSchema: {
    type: "object",
    properties: { at: { type: "object", properties: { x: { type: "number" } } } },
  },
};

describe("published servers", () => {
  test("of npm: pinned, installed without scripts, measured, and served with other servers", {
    timeout: 900_000,
  }, async (t) => {
    const config = await deployment(await folderOf(t));
    const files = await addedOrSkipped(
      t,
      config,
      "npx:@modelcontextprotocol/server-filesystem@2026.8.31",
      "--arg",
      "/tmp",
      "--read-hints",
    );
    if (files === null) return;
    const memory = await added(
      config,
      "npx:@modelcontextprotocol/server-memory@2026.8.31",
      "--env",
      "MEMORY_FILE_PATH=/tmp/memory.jsonl",
      "--read",
      "read_graph",
      "--tool",
      "read_graph",
    );
    const everything = await added(
      config,
      "npx:@modelcontextprotocol/server-everything",
      "--tool",
      "echo",
      "--read",
      "echo",
      "--alias",
      "echo=repeat",
    );
    for (const one of [files, memory, everything]) {
      assert.ok(one.packages.length > 1 && one.packages.every(({ integrity }) => integrity.startsWith("sha512-")));
      await access(one.lock_file ?? "");
      assert.ok(!(await readdir(one.tree ?? "")).includes("package-lock.json"));
    }
    assert.deepEqual(everything.renamed, [{ name: "repeat", at_server: "echo" }]);
    assert.match(await readFile(config, "utf8"), /MEMORY_FILE_PATH: \/tmp\/memory\.jsonl/);
    const { code, stdout } = await cmcp(["validate-config", "--config", config, "--json"], DEVELOPMENT);
    assert.equal(code, 0, stdout);
    const client = await agentOf(t, config);
    assert.match(await called(client, "list_allowed_directories", {}), /\/tmp/);
    assert.match(await called(client, "read_graph", {}), /entities/);
    assert.match(await called(client, "repeat", { message: "hello" }), /Echo: hello/);
    assert.match(
      await called(client, "write_file", { path: "/tmp/note", content: "x" }),
      /^refused: .*requires an approval/,
    );
  });

  test("of PyPI: wheels by hash, the interpreter and a program packed, served with nothing of the machine", {
    timeout: 900_000,
  }, async (t) => {
    const config = await deployment(await folderOf(t));
    const time = await addedOrSkipped(t, config, "uvx:mcp-server-time@2026.10.19", "--read-hints");
    if (time === null) return;
    const git = await addedOrSkipped(
      t,
      config,
      "uvx:mcp-server-git@2026.10.19",
      "--program",
      "git",
      "--read",
      "git_status",
    );
    if (git === null) return;
    for (const one of [time, git])
      assert.ok(one.packages.every(({ integrity }) => /^sha256:[0-9a-f]{64}$/.test(integrity)));
    assert.match(await readFile(time.lock_file ?? "", "utf8"), /^mcp-server-time==\S+ --hash=sha256:[0-9a-f]{64}$/m);
    const client = await agentOf(t, config);
    assert.match(
      await called(client, "convert_time", { source_timezone: "UTC", time: "12:00", target_timezone: "Asia/Tokyo" }),
      /21:00/,
    );
    // It starts only where `git version` runs, which is the tree's: the server sees no program of the machine.
    assert.match(await called(client, "git_status", { repo_path: "/work" }), /work/);
  });
});

describe("files of one's own", () => {
  test("a script, and a folder with a name the catalog has: measured as they stand, aliased, schemas closed", async (t) => {
    const folder = await folderOf(t);
    const config = await deployment(folder);
    await writeFile(join(folder, "one.mjs"), serverFile([LOOKUP]));
    await mkdir(join(folder, "two"));
    await writeFile(join(folder, "two/main.mjs"), serverFile([LOOKUP]));
    const one = await added(config, join(folder, "one.mjs"), "--name", "one", "--read", "lookup");
    const two = await added(config, join(folder, "two"), "--script", "main.mjs", "--read", "lookup");
    assert.deepEqual([one.packages, one.lock_file, one.renamed], [[], null, []]);
    assert.deepEqual(two.renamed, [{ name: "two_lookup", at_server: "lookup" }]);
    assert.deepEqual([one.closed, two.closed], [["lookup"], ["two_lookup"]]);
    const client = await agentOf(t, config);
    const { tools } = await client.listTools();
    const shown = tools.find(({ name }) => name === "two_lookup")?.inputSchema;
    assert.deepEqual(shown, {
      type: "object",
      properties: {
        at: { type: "object", properties: { x: { type: "number" } }, additionalProperties: false },
      },
      additionalProperties: false,
    });
    assert.equal(await called(client, "lookup", { at: { x: 1 } }), 'called lookup {"at":{"x":1}}');
    assert.equal(await called(client, "two_lookup", { at: { x: 2 } }), 'called lookup {"at":{"x":2}}');
    assert.match(await called(client, "two_lookup", { at: { x: 2, y: 1 } }), /^refused: .*arguments/);
  });

  test("a secret is written by its name: the tools are read with its value, which is nowhere, and it waits for credentials", async (t) => {
    const folder = await folderOf(t);
    const config = await deployment(folder);
    const file = join(folder, "own.mjs");
    const needy = 'if (process.env.API_TOKEN !== "a-value-of-this-shell") process.exit(1);';
    await writeFile(file, needy + serverFile([LOOKUP]));
    const line = ["server", "add", file, "--config", config, ...EMAIL, "--json", "--secret"];
    const typed = await cmcp([...line, "API_TOKEN=a-value-of-this-shell"]);
    assert.match(typed.stdout, /"USAGE".*the name of a variable alone/);
    assert.ok(!`${typed.stdout}${typed.stderr}`.includes("a-value-of-this-shell"));
    assert.match((await cmcp([...line, "NODE_OPTIONS"])).stdout, /USAGE.*changes how programs run/);
    assert.match((await cmcp([...line, "API_TOKEN"])).stdout, /UPSTREAM_UNAVAILABLE.*--secret/);
    const { code, stdout, stderr } = await cmcp([...line, "API_TOKEN"], { API_TOKEN: "a-value-of-this-shell" });
    assert.equal(code, 0, stdout + stderr);
    const written = await readFile(join(dirname(config), "catalog.json"), "utf8");
    assert.match(written, /"secrets": \{\s*"API_TOKEN": "api_token"\s*\}/);
    assert.ok(![written, await readFile(config, "utf8"), stdout, stderr].join().includes("a-value-of-this-shell"));
    const validated = await cmcp(["validate-config", "--config", config, "--json"], DEVELOPMENT);
    assert.match(validated.stdout, /CREDENTIAL_NOT_PROVISIONED/);
  });

  test("hosts that it may reach are declared in the catalog, and permitted to its tools by a rule of their own", async (t) => {
    const folder = await folderOf(t);
    const config = await deployment(folder);
    const file = join(folder, "reaching.mjs");
    await writeFile(file, serverFile([LOOKUP]));
    const line = ["server", "add", file, "--config", config, ...EMAIL, "--json", "--egress"];
    for (const typed of ["api.example.com", "api.example.com:https", ":443", "a:b:443"])
      assert.match((await cmcp([...line, typed])).stdout, /USAGE.*HOST:PORT/, typed);
    for (const typed of ["*.example.com:443", "API.example.com:443", "api.example.com:0"])
      assert.match((await cmcp([...line, typed])).stdout, /USAGE.*(?:host|port): /, typed);
    const { code, stdout, stderr } = await cmcp([...line, "api.example.com:443", "--egress", "[2001:db8::1]:8443"]);
    // Where nothing is confined, a server with egress does not start.
    if (OWN.skip !== false) return assert.match(stdout, /SPAWN_FAILED/);
    assert.equal(code, 0, stdout + stderr);
    const written = await readFile(join(dirname(config), "catalog.json"), "utf8");
    const [, egress = ""] = /"egress": (\[[^\]]*\])/.exec(written) ?? [];
    assert.deepEqual(JSON.parse(egress), [
      { host: "api.example.com", port: 443 },
      { host: "2001:db8::1", port: 8443 },
    ]);
    const rules = await readFile(join(dirname(config), "policies/reaching-mjs.cedar"), "utf8");
    assert.match(rules, /@id\("reaching-mjs-reaches-out"\)[^]*server_egress[^]*"lookup"/);
    const validated = await cmcp(["validate-config", "--config", config, "--json"], DEVELOPMENT);
    assert.equal(validated.code, 0, validated.stdout);
  });

  test("a tree with a link that leads outside, a name that is taken, and a server that ends leave nothing", async (t) => {
    const folder = await folderOf(t);
    const config = await deployment(folder);
    const before = await readFile(join(dirname(config), "catalog.json"), "utf8");
    await mkdir(join(folder, "linked"));
    await writeFile(join(folder, "linked/main.mjs"), serverFile([LOOKUP]));
    await symlink("/etc/passwd", join(folder, "linked/out"));
    await writeFile(join(folder, "ends.mjs"), "process.exit(3)\n");
    const linked = await errorOf(add(config, join(folder, "linked"), "--script", "main.mjs"));
    assert.deepEqual([linked.code, linked.exit], ["SPAWN_TREE_REFUSED", 10]);
    const ends = await errorOf(add(config, join(folder, "ends.mjs")));
    assert.deepEqual([ends.code, ends.exit], ["UPSTREAM_UNAVAILABLE", 10]);
    assert.match(ends.message, /--arg/);
    assert.equal(await readFile(join(dirname(config), "catalog.json"), "utf8"), before);
    await writeFile(join(folder, "one.mjs"), serverFile([LOOKUP]));
    await added(config, join(folder, "one.mjs"));
    assert.equal((await errorOf(add(config, join(folder, "one.mjs")))).code, "USAGE");
    await writeFile(join(folder, "two.mjs"), serverFile([LOOKUP]));
    const taken = await errorOf(add(config, join(folder, "two.mjs"), "--alias", "lookup=lookup"));
    assert.equal(taken.code, "CATALOG_TOOL_NAME_COLLISION");
  });
});

/** An MCP bundle with that server, packed by Python. */
async function bundleOf(folder: string, entries: readonly (readonly [string, string])[]): Promise<string> {
  const path = join(folder, "lookups.mcpb");
  const script =
    "import json, sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as out:\n  for name, text in json.load(sys.stdin): out.writestr(name, text)\n";
  execFileSync("python3", ["-c", script, path], { input: JSON.stringify(entries) });
  return path;
}

describe("bundles and registries", () => {
  const manifest = {
    manifest_version: "0.3",
    name: "lookups",
    version: "1.0.0",
    server: {
      type: "node",
      entry_point: "server/index.mjs",
      mcp_config: {
        command: "node",
        args: ["${__dirname}/server/index.mjs"],
        env: { LOOKUP_KEY: "${user_config.key}" },
      },
    },
  };
  const good = [
    ["manifest.json", JSON.stringify(manifest)],
    ["server/index.mjs", serverFile([LOOKUP])],
  ] as const;

  test("a bundle is unpacked, measured and served; one with a path that leads out writes nothing", async (t) => {
    const folder = await folderOf(t);
    const config = await deployment(folder);
    const outside = await bundleOf(folder, [...good, ["../outside", "x"]]);
    const refused = await errorOf(add(config, outside));
    assert.deepEqual([refused.code, refused.exit], ["BUNDLE_REFUSED", 10]);
    assert.match(refused.message, /"\.\.\/outside"/);
    assert.deepEqual((await readdir(folder)).toSorted(), ["gateway", "lookups.mcpb"]);
    const python = { ...manifest, server: { ...manifest.server, type: "python" } };
    const other = await errorOf(add(config, await bundleOf(folder, [["manifest.json", JSON.stringify(python)]])));
    assert.match(other.message, /uvx:NAME/);
    const one = await added(config, await bundleOf(folder, good), "--read", "lookup");
    assert.deepEqual(
      one.packages.map(({ name, version }) => [name, version]),
      [["lookups", "1.0.0"]],
    );
    const client = await agentOf(t, config);
    assert.equal(await called(client, "lookup", { at: { x: 1 } }), 'called lookup {"at":{"x":1}}');
  });

  test("a registry's entry is followed, and a package that changed since is refused", async (t) => {
    const folder = await folderOf(t);
    const config = await deployment(folder);
    const bundle = await readFile(await bundleOf(folder, good));
    let digest = createHash("sha256").update(bundle).digest("hex");
    const server = createServer((request, response) => {
      if (request.url === "/lookups.mcpb") return void response.end(bundle);
      if (request.url !== "/v0/servers/io.example%2Flookups/versions/1.0.0") return void response.writeHead(404).end();
      const { port } = server.address() as AddressInfo;
      const packages = [
        { registryType: "mcpb", identifier: `http://127.0.0.1:${port}/lookups.mcpb`, fileSha256: digest },
      ];
      return void response.end(JSON.stringify({ server: { name: "io.example/lookups", version: "1.0.0", packages } }));
    });
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    t.after(() => void server.close());
    const registry = ["--registry", `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
    const { others } = await added(config, "registry:io.example/lookups@1.0.0", ...registry);
    assert.deepEqual(others, ["lookup"]);
    digest = digest.replaceAll(/[0-9]/g, "0");
    const changed = await errorOf(add(config, "registry:io.example/lookups@1.0.0", ...registry, "--name", "again"));
    assert.deepEqual([changed.code, changed.exit], ["PACKAGE_REFUSED", 10]);
    assert.match(changed.message, /changed since its registry entry/);
    const unknown = await errorOf(add(config, "registry:io.example/none", ...registry));
    assert.equal(unknown.code, "PACKAGE_UNAVAILABLE");
    assert.deepEqual(await readdir(join(dirname(config), "servers")), ["lookups"]);
  });
});

describe("servers over HTTP", () => {
  test("what catalog import does; a credential is written by its name", async (t) => {
    const config = await deployment(await folderOf(t));
    const server = await startChangingServer("lookup");
    t.after(() => server.close());
    const { tree, others } = await added(config, server.url, "--credential", "lookup-token", "--name", "lookups");
    assert.deepEqual([tree, others], [null, ["lookup"]]);
    const catalog = JSON.parse(await readFile(join(dirname(config), "catalog.json"), "utf8")) as {
      servers: readonly { name: string; credential: string }[];
    };
    assert.deepEqual(
      catalog.servers.map(({ name, credential }) => [name, credential]),
      [["lookups", "lookup-token"]],
    );
  });

  test("a server that answers 401 is named, with the options that help and without the token", async (t) => {
    const config = await deployment(await folderOf(t));
    const server = createServer((_request, response) => {
      response.writeHead(401, { "www-authenticate": 'Bearer resource_metadata="https://auth.example/x"' }).end();
    });
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    t.after(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
    const { code, message, exit } = await errorOf(add(config, url));
    assert.deepEqual([code, exit], ["SERVER_UNAUTHORIZED", 10]);
    for (const word of ["401", "--token-env", "--credential", "connect-a-server-with-oauth", "auth.example"])
      assert.ok(message.includes(word), word);
  });
});

describe("machines without what is needed", () => {
  let empty = "";
  before(async () => {
    empty = await mkdtemp(join(tmpdir(), "cmcp-empty-"));
  });
  after(() => rm(empty, { recursive: true, force: true }));

  test("no npm, no Python, no such package, and one that is not for sources: each says so", async (t) => {
    const config = await deployment(await folderOf(t));
    const without = { PATH: empty };
    const missing = async (source: string, ...args: readonly string[]) =>
      await errorOf(cmcp(["server", "add", source, "--config", config, ...EMAIL, ...args, "--json"], without));
    for (const source of ["npx:@modelcontextprotocol/server-memory", "uvx:mcp-server-time"]) {
      const { code, message, exit } = await missing(source);
      assert.deepEqual([code, exit], ["PROGRAM_MISSING", 10], message);
      assert.match(message, /https:\/\//);
    }
    for (const source of ["npx:../etc", "npx:a@^1", "npx:a@https://x.example/a.tgz", "uvx:a @ b", "nothing-there"])
      assert.equal((await errorOf(add(config, source))).code, "USAGE", source);
    assert.equal((await errorOf(add(config, "npx:a", "--pin", "x"))).code, "USAGE");
    assert.deepEqual(await readdir(dirname(config)).then((names) => names.includes("servers")), true);
    assert.deepEqual(await readdir(join(dirname(config), "servers")), []);
  });
});
