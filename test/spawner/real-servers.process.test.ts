/** Published stdio servers, confined, driven by the official client. */
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { StdioProcesses, spawnEvidence, type AllowedServer } from "@cmcp/spawner";
import { treeDigest } from "@cmcp/spawner/tree";
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { connectClient } from "./client.ts";
import { RUNNERS, open, serverOf } from "./fixture.ts";
import { installTree } from "./installed-tree.ts";

const require = createRequire(import.meta.url);

/** Each server laid out once; the tests only read it. */
const trees = mkdtempSync(join(tmpdir(), "cmcp-real-"));
chmodSync(trees, 0o755);
after(() => rmSync(trees, { recursive: true, force: true }));
const laidOut = new Map<string, { readonly tree: string; readonly main: string; readonly digest: Uint8Array }>();

function installed(name: string, args: readonly string[], environment: Record<string, string> = {}): AllowedServer {
  let server = laidOut.get(name);
  if (server === undefined) {
    const tree = join(trees, String(laidOut.size));
    const main = join(tree, installTree(dirname(require.resolve(`${name}/package.json`)), name, tree), "dist/index.js");
    server = { tree, main, digest: treeDigest(tree) };
    laidOut.set(name, server);
  }
  return serverOf(server.tree, "node", [server.main, ...args], {
    digest: server.digest,
    environment: { HOME: "/tmp", ...environment },
  });
}

async function text(
  client: Client,
  name: string,
  args: Record<string, unknown>,
): Promise<{ readonly text: string; readonly isError: boolean }> {
  const result = await client.callTool({ name, arguments: args });
  const content = result.content as readonly { readonly text?: string }[];
  return { text: content[0]?.text ?? "", isError: result.isError === true };
}

for (const { by, skip } of RUNNERS) {
  test(`server-filesystem works in its scratch space and sees nothing else (spawner of ${by})`, { skip }, async (t) => {
    const server = installed("@modelcontextprotocol/server-filesystem", ["/tmp"]);
    const { spawner } = await open(t, by, [server]);
    assert.equal(spawnEvidence(server, spawner.confinement), "spawn-measured");
    const client = await connectClient(await spawner.start(0));
    const { tools } = await client.listTools();
    assert.ok(tools.some(({ name }) => name === "read_text_file"));
    assert.equal((await text(client, "write_file", { path: "/tmp/note.txt", content: "kept" })).isError, false);
    assert.equal((await text(client, "read_text_file", { path: "/tmp/note.txt" })).text, "kept");
    assert.equal((await text(client, "read_text_file", { path: "/etc/passwd" })).isError, true);
    assert.equal((await text(client, "list_directory", { path: "/" })).isError, true);
    await client.close();
    const next = await connectClient(await spawner.start(0));
    assert.equal(
      (await text(next, "read_text_file", { path: "/tmp/note.txt" })).isError,
      true,
      "scratch space is new at every start",
    );
    await next.close();
  });

  test(`server-memory keeps what two principals store apart (spawner of ${by})`, { skip }, async (t) => {
    const server = installed("@modelcontextprotocol/server-memory", [], { MEMORY_FILE_PATH: "/tmp/memory.jsonl" });
    const { spawner } = await open(t, by, [server]);
    const processes = new StdioProcesses((index) => spawner.start(index));
    t.after(() => processes.close());
    const clients = new Map<string, Client>();
    const as = (principal: string, name: string, args: Record<string, unknown>): Promise<{ readonly text: string }> =>
      processes.use({ principal, server: 0 }, async (channel) => {
        const client = clients.get(principal) ?? (await connectClient(channel));
        clients.set(principal, client);
        return await text(client, name, args);
      });
    await as("alice", "create_entities", {
      entities: [{ name: "merger", entityType: "deal", observations: ["secret of alice"] }],
    });
    assert.match((await as("alice", "read_graph", {})).text, /secret of alice/);
    assert.doesNotMatch((await as("bob", "read_graph", {})).text, /secret/);
    assert.equal(processes.size, 2);
  });
}
