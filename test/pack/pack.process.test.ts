/** What `pnpm pack` makes is what users install: it is installed into an empty folder and used there. */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ROOT, deployQuickstart, listenOnAnyPort } from "../gateway/deployment.ts";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { developmentEnvironment, startGateway } from "../gateway/gateway.ts";
import { startEverythingServer } from "../servers/everything-server.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";

const TOKEN = "pack-test-token-pack-test-token-123456";

describe("the packed command line", () => {
  let folder: string;
  let records: RecordsServer;
  // The pinned Node first: optional packages are left out so that no network is needed.
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}` };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-pack-"));
    const pnpm = join(ROOT, "toolchain/node_modules/pnpm/bin/pnpm.cjs");
    execFileSync(process.execPath, [pnpm, "pack", "--pack-destination", folder], {
      cwd: join(ROOT, "packages/cli"),
      stdio: "pipe",
    });
    const [tarball = ""] = (await readdir(folder)).filter((file) => file.endsWith(".tgz"));
    await writeFile(join(folder, "package.json"), '{"name":"empty","private":true}');
    execFileSync(
      "npm",
      ["install", "--offline", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund", join(folder, tarball)],
      { cwd: folder, env, stdio: "pipe" },
    );
    records = await startRecordsServer();
  });
  after(async () => {
    await records.close();
    await rm(folder, { recursive: true, force: true });
  });

  const run = (
    args: readonly string[],
    more: NodeJS.ProcessEnv = {},
  ): Promise<{ code: number; stdout: string; stderr: string }> =>
    new Promise((resolve) => {
      const options = { cwd: folder, env: { ...env, ...more } };
      execFile(join(folder, "node_modules/.bin/cmcp"), [...args], options, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr }),
      );
    });

  test("brings nothing but itself, with the licences of what is in it", async () => {
    assert.deepEqual(
      (await readdir(join(folder, "node_modules"))).filter((name) => !name.startsWith(".")),
      ["@cmcp"],
    );
    const notices = await readFile(join(folder, "node_modules/@cmcp/cli/dist/THIRD-PARTY-NOTICES.txt"), "utf8");
    for (const name of ["undici", "@cedar-policy/cedar-wasm", "zod", "cbor-x", "hono"])
      assert.match(notices, new RegExp(`^${name} [0-9]`, "m"));
    assert.match(await readFile(join(folder, "node_modules/@cmcp/cli/LICENSE"), "utf8"), /MIT License/);
  });

  test("says in one line which Node it needs, where the Node that runs it is too old", async () => {
    const old = 'Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.20.2"}})';
    const { code, stdout, stderr } = await run(["verify", "claim.json"], {
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(old)}`,
    });
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^cmcp: needs Node 22\.19 or newer, and this is 20\.20\.2; [^\n]+\n$/);
  });

  test("writes a deployment in front of a server, starts it, and serves the official client", async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, "packages/cli/package.json"), "utf8")) as {
      version: string;
    };
    assert.match((await run(["--version"])).stdout, new RegExp(`^cmcp ${version.replaceAll(".", "\\.")} `));
    const everything = await startEverythingServer();
    const url = `http://127.0.0.1:${everything.port}/mcp`;
    const approved = ["--approved-by", "you@example.com", "--listen", "127.0.0.1:0", "--server", url, "--read", "echo"];
    const made = await run(["init", "gateway", ...approved]);
    assert.equal(made.code, 0, made.stderr);
    const config = join(folder, "gateway/cmcp-config.yaml");
    const environment = { CMCP_DEV_MODE: "1" };
    assert.equal((await run(["validate-config", "--config", config], environment)).code, 0);
    const gateway = await startGateway(config, environment, { entry: join(folder, "node_modules/.bin/cmcp") });
    try {
      const authorization = `Bearer ${(await readFile(join(folder, "gateway/agent-token"), "utf8")).trim()}`;
      const client = new Client({ name: "agent", version: "1" });
      await client.connect(
        new StreamableHTTPClientTransport(new URL(gateway.mcp), { requestInit: { headers: { authorization } } }),
      );
      const { content } = await client.callTool({ name: "echo", arguments: { message: "hello" } });
      assert.match(JSON.stringify(content), /Echo: hello/);
      await client.close();
    } finally {
      assert.equal(await gateway.stop(), 0);
      await everything.close();
    }
  });

  test("starts, serves a call, and verifies its claim", async () => {
    const config = await deployQuickstart(join(folder, "deployment"), {
      everythingPort: 1,
      recordsPort: records.port,
      recordsFingerprint: records.fingerprint,
    });
    await listenOnAnyPort(config);
    const gateway = await startGateway(config, developmentEnvironment(TOKEN), {
      entry: join(folder, "node_modules/.bin/cmcp"),
    });
    const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
    try {
      const body = JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: { name: "send_message", arguments: { to: "a", text: "b" } },
      });
      const reply = (await (await fetch(gateway.mcp, { method: "POST", headers, body })).json()) as RpcReply;
      const claim = await (
        await fetch(`${gateway.url}/sessions/${receiptOf(reply).session_id}/close`, { method: "POST", headers })
      ).text();
      await writeFile(join(folder, "claim.json"), claim);
    } finally {
      assert.equal(await gateway.stop(), 0, "it stops in order, through the program that started it");
      assert.doesNotMatch(gateway.log(), /thread that moves/, "the store's thread is in the package");
    }
    const verified = await run(["verify", "claim.json", "--allow-software-only", "--json"]);
    assert.equal(verified.code, 0, verified.stdout);
    assert.equal((JSON.parse(verified.stdout) as { outcome: string }).outcome, "accepted");
    assert.equal((await run(["verify", "claim.json"])).code, 10);
  });
});
