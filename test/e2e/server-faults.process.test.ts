/** Servers that do not work, behind the gateway as it is shipped: log and status say which, why and what to do, in words of their own. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { treeDigest } from "@cmcp/spawner/tree";
import { selfSigned, testKey } from "../../packages/mcp/src/testing/certificate.ts";
import { clientOf, logged, type Client } from "../gateway/client.ts";
import { ALLOW_ALL, deploy, listenOnAnyPort } from "../gateway/deployment.ts";
import { developmentEnvironment, startGateway, type Gateway } from "../gateway/gateway.ts";
import { freePort } from "../servers/everything-server.ts";
import { callReply, reply, startRawServer, type RawServer } from "../servers/hostile-servers.ts";

const TOKEN = "server-faults-test-token-0123456789ab";
/** What servers say of themselves, which nobody outside the enclave may read. */
const SECRET = "the database is db.internal, and its word is hunter2";
const HOST = "127.0.0.1";
const DAY = 86_400_000;
const own = testKey();
const fingerprint = `SHA256:${own.pin.toString("base64")}`;

/** A folder with one server, as the catalog starts it. */
async function stdioServer(tree: string, command: string, args: readonly string[]): Promise<JsonObject> {
  const digest = `sha256:${Buffer.from(treeDigest(tree)).toString("hex")}`;
  return { transport: "stdio", spawn: { command, args: [...args], measure_target: tree, binary_digest: digest } };
}

async function throwingServer(tree: string): Promise<JsonObject> {
  await mkdir(tree, { recursive: true });
  await writeFile(join(tree, "main.js"), `process.stderr.write("${SECRET}\\n"); throw new Error("${SECRET}");\n`);
  return await stdioServer(tree, "node", [join(tree, "main.js")]);
}

/** A server that answers one call, and ends soon after. */
async function forgetfulServer(tree: string): Promise<JsonObject> {
  await mkdir(tree, { recursive: true });
  await writeFile(
    join(tree, "main.mjs"),
    `import { createInterface } from "node:readline";
const answers = {
  initialize: { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "f", version: "1" } },
  "tools/list": { tools: [{ name: "forgetful", inputSchema: { type: "object" } }] },
  "tools/call": { content: [{ type: "text", text: "fine" }] },
};
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method } = JSON.parse(line);
  if (id === undefined) continue;
  process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id, result: answers[method] }) + "\\n");
  if (method === "tools/call") setTimeout(() => process.exit(), 100);
}
`,
  );
  return await stdioServer(tree, "node", [join(tree, "main.mjs")]);
}

/** A program that is linked against a library which is not there. */
async function unlinkedServer(tree: string, work: string): Promise<JsonObject> {
  await mkdir(tree, { recursive: true });
  await mkdir(work, { recursive: true });
  await writeFile(join(work, "library.c"), "int answer(void) { return 1; }\n");
  await writeFile(join(work, "main.c"), "int answer(void);\nint main(void) { return answer(); }\n");
  execFileSync("cc", ["-shared", "-fPIC", "-o", join(work, "libgone.so"), join(work, "library.c")]);
  execFileSync("cc", ["-o", join(tree, "main"), join(work, "main.c"), `-L${work}`, "-lgone"]);
  return await stdioServer(tree, join(tree, "main"), []);
}

describe("servers that do not work", { timeout: 180_000 }, () => {
  let folder = "";
  let gateway: Gateway;
  let client: Client;
  let refusing: Server;
  const raw: RawServer[] = [];
  const serve = async (tool: string, certificate: { cert: string; key: string }): Promise<RawServer> => {
    const answer: Parameters<typeof startRawServer>[1] = (socket, { id }) =>
      void socket.write(reply(callReply(id, "fine")));
    const server = await startRawServer(tool, answer, undefined, { ...certificate, fingerprint: "" });
    raw.push(server);
    return server;
  };
  let renewed: RawServer;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-faults-"));
    refusing = createServer((_, response) => void response.writeHead(401).end(SECRET));
    await new Promise<void>((resolve) => refusing.listen(0, HOST, resolve));
    const expired = selfSigned(own, HOST, { from: new Date(Date.now() - 2 * DAY), to: new Date(Date.now() - DAY) });
    renewed = await serve("renewed", selfSigned(testKey(), HOST));
    const config = await deploy(join(folder, "d"), {
      tools: [
        { name: "throws", url: "http://127.0.0.1:1/" },
        { name: "unlinked", url: "http://127.0.0.1:1/" },
        { name: "forgetful", url: "http://127.0.0.1:1/" },
        { name: "expired", url: (await serve("expired", expired)).url, fingerprint },
        { name: "renewed", url: renewed.url, fingerprint },
        { name: "refusing", url: `http://${HOST}:${(refusing.address() as AddressInfo).port}/mcp` },
        { name: "away", url: `http://${HOST}:${await freePort()}/mcp` },
      ],
      policies: ALLOW_ALL,
      // So that the gateway starts with servers that cannot be compared.
      config: "catalog: {drift_policy: warn_only}\n",
    });
    const stdio: Readonly<Record<string, JsonObject>> = {
      throws: await throwingServer(join(folder, "throws")),
      unlinked: await unlinkedServer(join(folder, "unlinked"), join(folder, "work")),
      forgetful: await forgetfulServer(join(folder, "forgetful")),
    };
    const path = join(folder, "d/catalog.json");
    const entries = JSON.parse(await readFile(path, "utf8")) as { tool_name: string; server: JsonObject }[];
    for (const entry of entries) {
      const server = stdio[entry.tool_name];
      if (server !== undefined) entry.server = { display_name: entry.tool_name, ...server };
    }
    await writeFile(path, JSON.stringify(entries));
    await listenOnAnyPort(config);
    await appendFile(config, "enclave: {principals: [{id: default}]}\n");
    gateway = await startGateway(config, developmentEnvironment(TOKEN));
    client = clientOf(gateway, TOKEN);
  });
  after(async () => {
    await gateway?.stop();
    for (const server of raw) await server.close();
    refusing?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const faultsOf = async (): Promise<Record<string, string>> => {
    const { server_faults: faults = [] } = await client.json("/v1/status");
    return Object.fromEntries((faults as { server: string; reason: string }[]).map((one) => [one.server, one.reason]));
  };

  test("are named in log and status, with a reason of the closed list and an action, and without a word of theirs", async () => {
    const expected = {
      throws: "exited-at-start",
      unlinked: "exited-at-start",
      expired: "expired-certificate",
      renewed: "changed-key",
      refusing: "credential-refused",
      away: "unreachable",
    };
    const answers: string[] = [];
    for (const tool of Object.keys(expected)) {
      const { status, body } = await client.call(tool, tool);
      assert.equal(status, 502, `${tool}: ${JSON.stringify(body)}`);
      answers.push(JSON.stringify(body));
    }
    assert.deepEqual(await faultsOf(), expected);
    for (const [server, reason] of Object.entries(expected))
      await logged(gateway, new RegExp(`server_fault.*${server}.*${reason}`));
    const status = JSON.stringify(await client.json("/v1/status"));
    for (const text of [gateway.log(), status, ...answers]) assert.ok(!text.includes("hunter2"));
  });

  test("are named where they ended by themselves and nobody was waiting, as what they held is lost", async () => {
    const { status, body } = await client.call("forgetful", "forgetful");
    assert.equal(status, 200, JSON.stringify(body));
    await logged(gateway, /server_fault.*forgetful.*exited/);
    assert.equal((await faultsOf())["forgetful"], "exited");
  });

  test("are forgotten once they answer", async () => {
    renewed.renew(selfSigned(own, HOST));
    let answered = await client.call("renewed", "again");
    // What stood while the key was renewed was closed under the call.
    while (answered.status === 502) answered = await client.call("renewed", "again");
    assert.equal(answered.status, 200, JSON.stringify(answered.body));
    assert.equal((await faultsOf())["renewed"], undefined);
  });
});
