/**
 * The catalog changes while the gateway runs: what is refused, what changes, calls that are under way, a crash, and how
 * a verifier follows it. Approvals are made with the commands.
 */
import assert from "node:assert/strict";
import { copyFile, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { Client as SdkClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import type { CatalogVersion } from "@cmcp/catalog/version";
import { platformArguments } from "../gateway/appraisal.ts";
import { cmcp } from "../gateway/cli.ts";
import { clientOf, logged, type Client } from "../gateway/client.ts";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { developmentEnvironment, startGateway, type Gateway } from "../gateway/gateway.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { callReply, reply, startRawServer, type RawServer } from "../servers/hostile-servers.ts";

const TOKEN = "catalog-token-catalog-token-catalog-token";
const HASH = /^sha256:[0-9a-f]{64}$/;

type Entry = Record<string, unknown> & { tool_name: string };

describe("a gateway whose catalog two of three keys may change", () => {
  const servers: RawServer[] = [];
  const waiting: { socket: Socket; id: number | null }[] = [];
  let folder: string;
  let gateway: Gateway;
  let client: Client;
  let entries: Entry[];
  let firstHash: string;
  const at = (name: string): string => join(folder, name);
  const inPlace = (): string => at("d/catalog.json");

  /** Writes a catalog to be approved, and returns its path. */
  const written = async (name: string, catalog: readonly object[]): Promise<string> => {
    await writeFile(at(name), JSON.stringify(catalog));
    return at(name);
  };
  const hashOf = async (path: string): Promise<string> => (await cmcp(["catalog", "hash", path])).stdout.trim();
  const approve = async (next: string, from: string, by: string, ...more: string[]) => {
    const key = ["--key", at(`${by}.pem`), "--key-id", by];
    const made = await cmcp(["catalog", "approve", next, "--from", from, ...key, "--json", ...more]);
    assert.equal(made.code, 0, made.stdout + made.stderr);
  };
  const versionsOf = async (path: string): Promise<CatalogVersion[]> =>
    (JSON.parse(await readFile(path, "utf8")) as { versions: CatalogVersion[] }).versions;
  const writeVersions = async (path: string, versions: readonly object[]): Promise<void> =>
    await writeFile(path, JSON.stringify({ v: 1, versions }));
  /** Puts a catalog and its versions where the host looks. The catalog comes last, as it is what the versions are held to. */
  const place = async (path: string, versions: string): Promise<void> => {
    await copyFile(versions, at("d/next.versions.json"));
    await copyFile(path, at("d/next.json"));
    await rename(at("d/next.versions.json"), at("d/catalog.versions.json"));
    await rename(at("d/next.json"), inPlace());
  };
  const inForce = async (): Promise<unknown> => {
    const { hash, version } = (await client.json("/v1/status"))["catalog"] as { hash: string; version: number | null };
    return [hash, version];
  };
  const comesInForce = async (hash: string, version: number): Promise<void> => {
    for (
      const deadline = Date.now() + 20_000 * PATIENCE;
      JSON.stringify(await inForce()) !== JSON.stringify([hash, version]);
    ) {
      assert.ok(Date.now() < deadline, `${hash} did not come into force: ${gateway.log().slice(-2_000)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  /** What is placed now is refused with this code and a log line, and changes nothing. */
  const refusedWith = async (code: string, expected: unknown): Promise<void> => {
    for (const deadline = Date.now() + 20_000 * PATIENCE; !lastRefusal().includes(`"code":"${code}"`); ) {
      assert.ok(Date.now() < deadline, `${code} was not logged; the last refusal is ${lastRefusal()}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.deepEqual(await inForce(), expected);
  };
  const lastRefusal = (): string =>
    gateway
      .log()
      .split("\n")
      .findLast((line) => line.includes("reload refused")) ?? "";
  const errorOf = async (tool: string, label: string): Promise<string | undefined> =>
    (await client.call(tool, label)).body.error?.data?.error_code;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-catalog-"));
    servers.push(
      await startRawServer("held", (socket, { id }) => waiting.push({ socket, id })),
      await startRawServer("kept", (socket, { id }) => socket.write(reply(callReply(id, "kept")))),
      await startRawServer("later", (socket, { id }) => socket.write(reply(callReply(id, "later")))),
    );
    const keys: string[] = [];
    for (const name of ["alice", "bob", "carol", "mallory"]) {
      const made = await cmcp(["key", "new", at(`${name}.pem`), "--json"]);
      const { public_key: key } = JSON.parse(made.stdout) as { public_key: string };
      if (name !== "mallory") keys.push(`{id: ${name}, ed25519: ${key}}`);
    }
    const tools = ["held", "kept", "later"].map((name, index) => ({ name, url: servers[index]?.url ?? "" }));
    const config = await deploy(at("d"), {
      tools,
      policies: ALLOW_ALL,
      config:
        "catalog_reload_interval_seconds: 1\n" +
        `enclave: {catalog_keys: [${keys.join(", ")}], catalog_approvals: 2}\n`,
    });
    entries = JSON.parse(await readFile(inPlace(), "utf8")) as Entry[];
    await written("d/catalog.json", entries.slice(0, 2));
    await written("first.json", entries.slice(0, 2));
    firstHash = await hashOf(at("first.json"));
    const environment = developmentEnvironment(TOKEN);
    const checked = await cmcp(
      ["validate-config", "--config", config, "--launch-document", at("launch.json")],
      environment,
    );
    assert.equal(checked.code, 0, checked.stderr);
    gateway = await startGateway(config, environment);
    client = clientOf(gateway, TOKEN);
  });

  after(async () => {
    await gateway?.stop();
    for (const server of servers) await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  test("refuses a catalog without enough approvals by distinct measured keys, each once, and stays as it was", async () => {
    const first = [firstHash, null];
    const next = await written("next.json", entries.slice(1));
    const versions = at("next.versions.json");
    await writeVersions(versions, []);
    await place(next, versions);
    await refusedWith("CATALOG_VERSION_NOT_HIGHER", first);
    await rm(versions);
    await approve(next, at("first.json"), "alice");
    await place(next, versions);
    await refusedWith("CATALOG_APPROVALS_MISSING", first);
    // A key that is not in the launch document, or not any more, counts for nothing.
    await approve(next, at("first.json"), "mallory");
    await place(next, versions);
    await refusedWith("CATALOG_APPROVALS_MISSING", first);

    const [made] = await versionsOf(versions);
    assert.ok(made !== undefined);
    const [alice, mallory] = made.approvals;
    assert.ok(alice !== undefined && mallory !== undefined);
    await writeVersions(at("twice.json"), [{ ...made, approvals: [alice, alice] }]);
    await place(next, at("twice.json"));
    await refusedWith("CATALOG_VERSION_INVALID", first);
    await writeVersions(at("renamed.json"), [{ ...made, approvals: [alice, { ...alice, key_id: "bob" }] }]);
    await place(next, at("renamed.json"));
    await refusedWith("CATALOG_APPROVAL_INVALID", first);
    await writeVersions(at("forged.json"), [{ ...made, approvals: [alice, { ...mallory, key_id: "bob" }] }]);
    await place(next, at("forged.json"));
    await refusedWith("CATALOG_APPROVAL_INVALID", first);
    await writeVersions(at("raised.json"), [{ ...made, version: 9 }]);
    await place(next, at("raised.json"));
    await refusedWith("CATALOG_APPROVAL_INVALID", first);
  });

  test("refuses a catalog that is not the approved one, follows another, does not load, or needs a restart", async () => {
    const first = [firstHash, null];
    const both = async (name: string, catalog: readonly object[], from = at("first.json")): Promise<string> => {
      const path = await written(`${name}.json`, catalog);
      for (const by of ["alice", "bob"]) await approve(path, from, by);
      return path;
    };
    await both("good", entries.slice(1));
    const other = await written("other.json", entries.slice(2));
    await place(other, at("good.versions.json"));
    await refusedWith("CATALOG_VERSION_INVALID", first);
    const elsewhere = await both("elsewhere", entries.slice(1), other);
    await place(elsewhere, at("elsewhere.versions.json"));
    await refusedWith("CATALOG_VERSION_INVALID", first);

    const [held] = entries;
    const spoiled = await written("spoiled.json", [{ ...held, definition_hash: `sha256:${"0".repeat(64)}` }]);
    const unsigned = await cmcp([
      "catalog",
      "approve",
      spoiled,
      "--from",
      at("first.json"),
      "--key",
      at("alice.pem"),
      "--key-id",
      "alice",
    ]);
    assert.deepEqual([unsigned.code, /CATALOG_INVALID/.test(unsigned.stderr + unsigned.stdout)], [10, true]);

    const stdio = {
      ...held,
      server: { display_name: "local", transport: "stdio", spawn: { command: "node", args: [] } },
    };
    const started = await both("stdio", [stdio]);
    await place(started, at("stdio.versions.json"));
    await refusedWith("CATALOG_RESTART_REQUIRED", first);

    await writeFile(at("large.json"), " ".repeat(8 * 1024 * 1024 + 1));
    await place(at("large.json"), at("good.versions.json"));
    await logged(gateway, /CATALOG_INVALID.*reload not read/);
    assert.deepEqual(await inForce(), first);
    assert.equal(await errorOf("later", "before"), "TOOL_NOT_IN_CATALOG");
  });

  test("takes an approved catalog in the middle of a call, which ends under the catalog it was decided with", async () => {
    const changed = Promise.withResolvers<void>();
    const agent = new SdkClient({ name: "agent", version: "1" });
    agent.setNotificationHandler(ToolListChangedNotificationSchema, () => changed.resolve());
    await agent.connect(
      new StreamableHTTPClientTransport(new URL(gateway.mcp), {
        requestInit: { headers: { authorization: `Bearer ${TOKEN}` } },
      }),
    );
    assert.deepEqual(
      (await agent.listTools()).tools.map(({ name }) => name),
      ["held", "kept"],
    );

    const held = client.call("held", "across");
    for (const deadline = Date.now() + 10_000 * PATIENCE; waiting.length === 0; ) {
      assert.ok(Date.now() < deadline, "the call did not reach its server");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { session_id: session } = receiptOf((await client.call("kept", "across")).body);
    const next = await written("second.json", entries.slice(1));
    for (const by of ["carol", "bob"]) await approve(next, at("first.json"), by);
    const secondHash = await hashOf(next);
    await place(next, at("second.versions.json"));
    await comesInForce(secondHash, 1);
    await changed.promise;
    assert.deepEqual(
      (await agent.listTools()).tools.map(({ name }) => name),
      ["kept", "later"],
    );
    await agent.close();

    assert.equal(await errorOf("later", "across"), undefined);
    assert.equal(await errorOf("held", "across"), "TOOL_NOT_IN_CATALOG", "the next such call is decided anew");
    for (const { socket, id } of waiting.splice(0)) socket.write(reply(callReply(id, "at last")));
    assert.match(JSON.stringify((await held).body.result), /at last/);

    const attested = await client.json("/attestation?nonce=abcdefghijklmnop");
    assert.equal((attested["binding"] as { catalog_hash: string }).catalog_hash, secondHash);
    const claim = await client.close(session);
    const bundle = await client.export(session);
    assert.deepEqual(
      bundle.entries.map(({ entry_type, tool_name, policy_decision, detail }) => [
        entry_type,
        tool_name,
        policy_decision,
        detail?.["catalog_hash"] ?? null,
      ]),
      [
        ["session_start", null, "n/a", firstHash],
        ["tool_call", "kept", "allow", firstHash],
        ["catalog_load", null, "n/a", secondHash],
        ["tool_call", "later", "allow", secondHash],
        ["tool_call", "(unknown)", "deny", secondHash],
        ["tool_call", "held", "allow", firstHash],
        ["session_end", null, "n/a", null],
      ],
    );
    const load = bundle.entries[2]?.detail ?? {};
    assert.deepEqual([load["previous_catalog_hash"], load["catalog_version"]], [firstHash, 1]);
    assert.match(String(load["report_data"]), /^[A-Za-z0-9_-]{86}$/);
    assert.equal(claim.gateway.catalog.hash, secondHash);

    await writeFile(at("claim.json"), JSON.stringify(claim));
    await writeFile(at("bundle.json"), JSON.stringify(bundle));
    const platform = await platformArguments(gateway, { token: TOKEN, session, folder });
    const failures = async (...more: string[]): Promise<readonly string[]> => {
      const record = ["verify", at("claim.json"), "--audit-bundle", at("bundle.json"), ...platform];
      const { stdout } = await cmcp([...record, "--json", ...more]);
      const { checks } = JSON.parse(stdout) as { checks: { name: string; status: string; code?: string }[] };
      return checks.flatMap(({ name, status, code }) => (status === "failed" ? [`${name} ${code}`] : []));
    };
    assert.deepEqual(await failures(), []);
    assert.deepEqual(await failures("--catalog-hash", secondHash), ["catalog of every decision CATALOG_HASH_MISMATCH"]);
    const launch = ["--launch-document", at("launch.json")];
    assert.deepEqual(await failures(...launch), ["catalog of launch document CATALOG_VERSION_MISSING"]);
    assert.deepEqual(await failures(...launch, "--catalog-versions", at("second.versions.json")), []);
    assert.deepEqual(await failures(...launch, "--catalog-versions", at("elsewhere.versions.json")), [
      "catalog of launch document CATALOG_VERSION_MISSING",
    ]);
    const [version] = await versionsOf(at("second.versions.json"));
    await writeVersions(at("poor.json"), [{ ...version, approvals: version?.approvals.slice(0, 1) }]);
    assert.deepEqual(await failures(...launch, "--catalog-versions", at("poor.json")), [
      "catalog of launch document CATALOG_APPROVALS_MISSING",
    ]);
  });

  test("refuses a lower version and the same one with another catalog, and says what it has", async () => {
    const second = at("second.json");
    const expected = [await hashOf(second), 1];
    await place(at("first.json"), at("second.versions.json"));
    await refusedWith("CATALOG_VERSION_NOT_HIGHER", expected);
    const third = await written("third.json", entries.slice(2));
    for (const by of ["alice", "bob"]) await approve(third, second, by, "--version", "1");
    await place(third, at("third.versions.json"));
    await refusedWith("CATALOG_VERSION_NOT_HIGHER", expected);
    await place(second, at("second.versions.json"));
    const status = await cmcp(
      ["catalog", "status", second, "--launch-document", at("launch.json"), "--url", gateway.url, "--json"],
      { CMCP_BEARER_TOKEN: TOKEN },
    );
    const told = JSON.parse(status.stdout) as { in_force: { hash: string }; approved: string[]; missing: string[] };
    assert.deepEqual([status.code, told.approved, told.missing], [0, ["carol", "bob"], ["alice"]]);
    assert.match(told.in_force.hash, HASH);
    assert.deepEqual([told.in_force], [{ hash: expected[0], version: 1 }]);
  });

  test("an enclave that crashes comes back under the catalog that was in force, before it serves; the next follows it", async () => {
    process.kill(gateway.enclave_pid, "SIGKILL");
    await logged(gateway, /enclave up/, 2);
    const second = at("second.json");
    assert.deepEqual(await inForce(), [await hashOf(second), 1]);
    assert.equal(await errorOf("later", "after"), undefined);
    assert.equal(await errorOf("held", "after"), "TOOL_NOT_IN_CATALOG");
    const third = await written("last.json", entries);
    for (const by of ["alice", "carol"]) await approve(third, second, by, "--versions", at("second.versions.json"));
    await place(third, at("second.versions.json"));
    await comesInForce(await hashOf(third), 2);
  });
});
