/** `cmcp connect`: unchanged clients on loopback, an enclave behind a host that is told nothing. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { after, before, describe, test, type TestContext } from "node:test";
import { readLaunchInputs } from "@cmcp/launch/files";
import { receiptSchema, RECEIPT_META_KEY } from "@cmcp/audit/schema";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { cmcp } from "../gateway/cli.ts";
import { startConnect, type Connected } from "../gateway/connected.ts";
import { startFixture, type Fixture } from "../gateway/fixture.ts";
import { CLI } from "../gateway/gateway.ts";
import { startInProcess } from "../gateway/in-process.ts";

describe("cmcp connect", () => {
  let fixture: Fixture;
  let document: Uint8Array;
  before(async () => {
    fixture = await startFixture(async (config, environment) => {
      await writeFile(
        config,
        `${await readFile(config, "utf8")}enclave: {channel: sealed, workflow_tools: {default: [echo]}}\n`,
      );
      ({ document } = await readLaunchInputs(config, environment));
      return await startInProcess(config, environment);
    });
  });
  after(async () => {
    await fixture.close();
  });

  async function connected(t: TestContext, token?: string, ...options: readonly string[]): Promise<Connected> {
    const expected = ["--allow-software-only", ...options];
    const started = await startConnect(fixture.gateway.url, token === undefined ? { expected } : { expected, token });
    t.after(() => started.stop());
    return started;
  }

  test("serves an unchanged client in both eras, with a token of its own or of the client, until it is stopped", async (t) => {
    const { url, process: child } = await connected(t, fixture.token);
    for (const mode of ["legacy", "auto"] as const) {
      const client = new Client({ name: "unchanged", version: "1" }, { versionNegotiation: { mode } });
      await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`)));
      const result = await client.callTool({ name: "echo", arguments: { message: "hi" } });
      assert.equal(receiptSchema.parse(result._meta?.[RECEIPT_META_KEY]).channel, "sealed");
      await client.close();
    }
    const own = await connected(t);
    assert.equal((await fetch(`${own.url}/v1/status`)).status, 401);
    const headers = { authorization: `Bearer ${fixture.token}` };
    assert.equal((await fetch(`${own.url}/v1/status`, { headers })).status, 200);
    child.kill("SIGTERM");
    assert.deepEqual(await once(child, "exit"), [0, null]);
  });

  test("serves an unchanged client over standard input and output, in both eras", async () => {
    for (const mode of ["legacy", "auto"] as const) {
      const client = new Client({ name: "desktop", version: "1" }, { versionNegotiation: { mode } });
      await client.connect(
        new StdioClientTransport({
          command: process.execPath,
          args: [CLI, "connect", "--url", fixture.gateway.url, "--allow-software-only"],
          env: { PATH: process.env["PATH"] ?? "", CMCP_BEARER_TOKEN: fixture.token },
          stderr: "ignore",
        }),
      );
      assert.ok((await client.listTools()).tools.some(({ name }) => name === "echo"));
      const result = await client.callTool({ name: "echo", arguments: { message: "line\nend" } });
      assert.deepEqual(result.content, [{ type: "text", text: "Echo: line\nend" }]);
      assert.equal(receiptSchema.parse(result._meta?.[RECEIPT_META_KEY]).channel, "sealed");
      const denied = await client.callTool({ name: "get-env", arguments: {} });
      assert.equal(receiptSchema.parse(denied._meta?.[RECEIPT_META_KEY]).decision, "deny");
      await client.close();
    }
  });

  test("serves the tools of one workflow alone, where it is named", async () => {
    const client = new Client({ name: "desktop", version: "1" });
    await client.connect(
      new StdioClientTransport({
        command: process.execPath,
        args: [CLI, "connect", "--url", fixture.gateway.url, "--allow-software-only", "--workflow", "default"],
        env: { PATH: process.env["PATH"] ?? "", CMCP_BEARER_TOKEN: fixture.token },
        stderr: "ignore",
      }),
    );
    assert.deepEqual(
      (await client.listTools()).tools.map(({ name }) => name),
      ["echo"],
    );
    const result = await client.callTool({ name: "echo", arguments: { message: "hi" } });
    assert.equal(receiptSchema.parse(result._meta?.[RECEIPT_META_KEY]).channel, "sealed");
    await client.close();
    for (const words of [["a/b"], ["..", "--json"], ["default", "--listen", "127.0.0.1:0"]]) {
      const run = await cmcp([
        "connect",
        "--url",
        fixture.gateway.url,
        "--allow-software-only",
        "--workflow",
        ...words,
      ]);
      assert.equal(run.code, 64, words.join(" "));
      assert.match(run.stdout + run.stderr, /--workflow/);
    }
  });

  test("takes an operator's commands too, which show a token", async (t) => {
    const { url, mcp } = await connected(t);
    const client = new Client({ name: "agent", version: "1" });
    const requestInit = { headers: { authorization: `Bearer ${fixture.token}` } };
    await client.connect(new StreamableHTTPClientTransport(new URL(mcp), { requestInit }));
    const { _meta: meta } = await client.callTool({ name: "echo", arguments: { message: "hi" } });
    const { session_id: session } = receiptSchema.parse(meta?.[RECEIPT_META_KEY]);
    const close = async (gateway: string): Promise<string> => {
      const out = join(fixture.folder, "claim.json");
      const words = ["session", "close", "--url", gateway, "--session", session, "--out", out, "--json"];
      return (await cmcp(words, { CMCP_BEARER_TOKEN: fixture.token })).stdout;
    };
    assert.match(await close(fixture.gateway.url), /SEAL_REQUIRED/);
    assert.match(await close(url), /"ok":true/);
    await client.close();
  });

  test("answers what was piped into it, and then ends", async (t) => {
    const child = spawn(process.execPath, [CLI, "connect", "--url", fixture.gateway.url, "--allow-software-only"], {
      env: { ...process.env, CMCP_BEARER_TOKEN: fixture.token },
      stdio: ["pipe", "pipe", "ignore"],
    });
    t.after(() => child.kill("SIGKILL"));
    const params = { name: "echo", arguments: { message: "piped" } };
    child.stdin.end(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params })}\n`);
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit") as Promise<[number | null]>]);
    const { id, result } = JSON.parse(output) as { id: number; result: { content: unknown } };
    assert.deepEqual([code, id, result.content], [0, 1, [{ type: "text", text: "Echo: piped" }]]);
  });

  test("ends by itself after a session, when its client closes the input", async (t) => {
    const child = spawn(process.execPath, [CLI, "connect", "--url", fixture.gateway.url, "--allow-software-only"], {
      env: { ...process.env, CMCP_BEARER_TOKEN: fixture.token },
      stdio: ["pipe", "pipe", "ignore"],
    });
    t.after(() => child.kill("SIGKILL"));
    const exited = once(child, "exit") as Promise<[number | null]>;
    const write = (message: object): boolean =>
      child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
    const clientInfo = { name: "agent", version: "1" };
    const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    write({ id: 1, method: "initialize", params });
    await lines.next();
    write({ method: "notifications/initialized" });
    write({ id: 2, method: "tools/call", params: { name: "echo", arguments: { message: "in a session" } } });
    const { value } = await lines.next();
    assert.equal((JSON.parse(String(value)) as { id: number }).id, 2);
    child.stdin.end();
    assert.deepEqual(await exited, [0, null]);
  });

  test("keeps the receipts of each session, which its export is held to", async (t) => {
    const folder = join(fixture.folder, "receipts");
    const { url } = await connected(t, fixture.token, "--receipts", folder);
    const call = async (message: string): Promise<void> => {
      const reply = await fetch(`${url}/mcp`, {
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/json" },
        body: JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method: "tools/call",
          params: { name: "echo", arguments: { message }, _cmcp: { session_id: "kept" } },
        }),
      });
      assert.equal(reply.status, 200);
      await reply.text();
    };
    for (const message of ["payload-of-one", "payload-of-two", "payload-of-three"]) await call(message);
    const [name = ""] = await readdir(folder);
    const path = join(folder, name);
    const kept = await readFile(path, "utf8");
    assert.deepEqual(
      [kept.split("\n").length, kept.includes("payload-of"), (await stat(path)).mode & 0o777],
      [4, false, 0o600],
    );
    const session = name.replace(/\.jsonl$/, "");
    const bundle = join(fixture.folder, "bundle.json");
    const exported = await fetch(`${url}/audit/export?session_id=${session}`);
    await writeFile(bundle, await exported.text());
    const verify = async (file: string): Promise<number> =>
      (await cmcp(["audit", "verify", bundle, "--receipt", file, "--allow-software-only"])).code;
    assert.equal(await verify(path), 0);
    const other = join(fixture.folder, "changed.jsonl");
    await writeFile(other, kept.replace('"decision":"allow"', '"decision":"deny"'));
    assert.equal(await verify(other), 10);
    const whole = JSON.parse(await readFile(bundle, "utf8")) as { entries: object[] };
    await writeFile(bundle, JSON.stringify({ ...whole, entries: whole.entries.slice(0, -1) }));
    assert.equal(await verify(path), 10, "an export whose end was cut off");
  });

  test("says what it is connected to, as cmcp instance verify does of the same report", async (t) => {
    const [launch, report] = ["launch.json", "report.json"].map((name) => join(fixture.folder, name));
    assert.ok(launch !== undefined && report !== undefined);
    await writeFile(launch, document);
    await writeFile(report, await (await fetch(`${fixture.gateway.url}/attestation`)).text());
    const { said } = await connected(t, undefined, "--launch-document", launch);
    const { url: _, ...shown } = said;
    const { stdout } = await cmcp([
      "instance",
      "verify",
      report,
      "--json",
      "--allow-software-only",
      "--launch-document",
      launch,
    ]);
    const verified = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual(shown, { ok: true, ...verified });
    const { platform, mode, channel, witnesses, padded_answers: padded, launch_digest: digest } = verified;
    assert.deepEqual(
      [platform, mode, channel, witnesses, padded, digest],
      ["software-only", "enforcing", "sealed", [], true, fixture.gateway.launch_digest],
    );
  });

  test("refuses pages of browsers, names that are not the loopback's, and bodies above the bound", async (t) => {
    const { url } = await connected(t, fixture.token);
    const codeOf = async (init: RequestInit): Promise<unknown> => {
      const reply = await fetch(`${url}/v1/status`, init);
      return [reply.status, ((await reply.json()) as { error: { code: string } }).error.code];
    };
    for (const origin of ["https://evil.example", "null", "http://127.0.0.1:1", url.replace("http:", "https:")])
      assert.deepEqual(await codeOf({ headers: { origin } }), [403, "ORIGIN_NOT_ALLOWED"]);
    // Its own origin is the enclave's to refuse, which says why in words of its own.
    const own = await fetch(`${url}/v1/status`, { headers: { origin: url } });
    assert.match(await own.text(), /enclave\.allowed_origins/);
    const big = { method: "POST", body: new Uint8Array(5 * 1024 * 1024) };
    assert.deepEqual(await codeOf(big), [413, "MCP_PAYLOAD_TOO_LARGE"]);
  });

  test("with --development takes a gateway on loopback that proves nothing, no other, and says so", async (t) => {
    const development = await startConnect(fixture.gateway.url, { token: fixture.token });
    t.after(() => development.stop());
    assert.equal((await fetch(`${development.url}/v1/status`)).status, 200);
    await assert.rejects(startConnect(fixture.gateway.url, { expected: [] }), /INSTANCE_NOT_ACCEPTED/);
    for (const url of ["http://gateway.example", "http://127.0.0.1.gateway.example", "http://10.0.0.1:8443"]) {
      const { code, stderr, stdout } = await cmcp(["connect", "--url", url, "--development"]);
      assert.deepEqual([code, stdout], [64, ""]);
      assert.match(stderr, /--development is for a gateway on loopback/);
    }
    const words = [CLI, "connect", "--development", "--url", fixture.gateway.url];
    const child = spawn(process.execPath, words, { stdio: ["ignore", "ignore", "pipe"] });
    assert.match(await text(child.stderr), /^DEVELOPMENT: .+ the seal protects nothing/);
  });

  test("sends nothing to an enclave that is not accepted, and says why", async () => {
    const base = ["connect", "--url", fixture.gateway.url, "--json"];
    for (const args of [[], ["--allow-software-only", "--policy-hash", `sha256:${"0".repeat(64)}`]]) {
      const { code, stdout } = await cmcp([...base, ...args]);
      assert.equal(code, 10);
      const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
      assert.equal(error.code, "INSTANCE_NOT_ACCEPTED");
      assert.match(error.message, /nothing was sent/);
    }
    const url = ["--url", fixture.gateway.url];
    for (const args of [
      ["--url", "ftp://x"],
      [...url, "--listen", "0.0.0.0:1"],
      [...url, "--token-env", "NO_SUCH"],
      [],
    ])
      assert.equal((await cmcp(["connect", ...args])).code, 64);
  });
});
