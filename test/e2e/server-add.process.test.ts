/** `cmcp server add`: published servers of npm and PyPI, pinned, measured and served; and what it refuses. Packages that cannot be had skip. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { access, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cmcp } from "../gateway/cli.ts";
import { startChangingServer } from "../servers/changing-server.ts";
import { OWN } from "../spawner/fixture.ts";
import {
  EMAIL,
  DEVELOPMENT,
  deployment,
  add,
  added,
  addedOrSkipped,
  errorOf,
  agentOf,
  called,
  folderOf,
  serverFile,
  LOOKUP,
} from "../gateway/added-server.ts";

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
