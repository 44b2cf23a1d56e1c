/**
 * `make host-image`: builds the container image of the command line, and tries it from an empty folder. It writes a deployment in
 * front of a public server, starts it, serves the official client, and stops in order.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { buildah, buildahArguments, buildHostImage, HOST_IMAGE } from "../../scripts/host-image.ts";
import { startEverythingServer } from "../servers/everything-server.ts";

const HOME = "/var/lib/cmcp";
const NODE = ["/usr/bin/node", "--disable-warning=ExperimentalWarning"];
const COMMAND = [...NODE, "/opt/cmcp/dist/cmcp.mjs"];

await buildHostImage();
const folder = mkdtempSync(join(tmpdir(), "cmcp-host-image-"));
// The image's user is another than this one.
chmodSync(folder, 0o777);
const container = buildah(["from", HOST_IMAGE]).trim();
const everything = await startEverythingServer();

/** The words of buildah that run a command in the container: as its user, with the folder as its home. */
const inside = (command: readonly string[]): readonly string[] => [
  "run",
  "--isolation",
  "chroot",
  "--volume",
  `${folder}:${HOME}`,
  "--env",
  // A process in a chroot may make no user namespaces, so that there is no isolation here.
  "CMCP_DEV_MODE=1",
  container,
  "--",
  ...command,
];

async function serve(): Promise<void> {
  const config = `${HOME}/gateway/cmcp-config.yaml`;
  const start = inside([...COMMAND, "start", "--config", config, "--json"]);
  const gateway = spawn("buildah", buildahArguments(start), { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(gateway, "exit") as Promise<[number | null]>;
  const [line] = (await once(createInterface({ input: gateway.stdout }), "line")) as [string];
  const { mcp, pid } = JSON.parse(line) as { readonly mcp?: string; readonly pid?: number };
  assert.ok(mcp !== undefined && pid !== undefined, line);
  const token = buildah(
    inside([...NODE, "-p", `fs.readFileSync("${HOME}/gateway/agent-token", "utf8").trim()`]),
  ).trim();
  const client = new Client({ name: "agent", version: "1" });
  const headers = { authorization: `Bearer ${token}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(mcp), { requestInit: { headers } }));
  const { content } = await client.callTool({ name: "echo", arguments: { message: "from a container" } });
  assert.match(JSON.stringify(content), /Echo: from a container/);
  await client.close();
  process.kill(pid, "SIGTERM");
  assert.deepEqual((await ended)[0], 0, "it stops in order");
}

try {
  assert.match(buildah(inside([...COMMAND, "--version"])), /^cmcp \d/);
  const url = `http://127.0.0.1:${everything.port}/mcp`;
  const approved = ["--approved-by", "you@example.com", "--listen", "127.0.0.1:0", "--server", url, "--read", "echo"];
  buildah(inside([...COMMAND, "init", `${HOME}/gateway`, ...approved]));
  assert.deepEqual(readdirSync(folder), ["gateway"]);
  await serve();
  process.stdout.write(`host-image: ${HOST_IMAGE} starts, serves and stops; deployment/compose.yaml runs it\n`);
} finally {
  await everything.close();
  buildah(["rm", container]);
  rmSync(folder, { recursive: true, force: true });
}
