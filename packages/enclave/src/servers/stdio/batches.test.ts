/** What a stdio server sends on one line: real processes, which here need no confinement. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { CmcpError, type JsonValue } from "@cmcp/boundary";
import { silentPeer, type Peer } from "@cmcp/mcp";
import { DEFAULT_BOUNDS, Spawner, StdioProcesses } from "@cmcp/spawner";
import { startSpawner } from "@cmcp/spawner/host";
import { treeArchive } from "@cmcp/spawner/tree";
import { StdioUpstream } from "./upstream.ts";

/**
 * Answers `initialize` with its first argument for a version; says the next, on one line, to a call, and the one after it to the
 * answer of its question. The id `call` becomes that of the call.
 */
const SERVER = `
import { createInterface } from "node:readline";
const [version, ...lines] = process.argv.slice(2);
let call;
const say = (text) => process.stdout.write(text + "\\n");
createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method } = JSON.parse(line);
  if (method === "initialize") say(JSON.stringify({ jsonrpc: "2.0", id, result: { protocolVersion: version, capabilities: {}, serverInfo: { name: "s", version: "1" } } }));
  else if (method === "tools/call" || id === "question") say(lines.shift().replace('"call"', (call ??= id)));
});
`;
const ANSWER = { jsonrpc: "2.0", id: "call", result: { content: [] } };
const said = (data: string): JsonValue => ({
  jsonrpc: "2.0",
  method: "notifications/message",
  params: { level: "info", data },
});

/** Calls a server of this version that says these pieces, and tells what its caller heard and how the call ended. */
async function call(
  t: TestContext,
  version: string,
  ...pieces: readonly JsonValue[]
): Promise<{ heard: unknown[]; ended: unknown }> {
  const folder = mkdtempSync(join(tmpdir(), "cmcp-batches-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [tree, socket] = [join(folder, "tree"), join(folder, "s")];
  mkdirSync(tree);
  writeFileSync(join(tree, "main.mjs"), SERVER);
  const running = await startSpawner({
    program: join(folder, "not compiled"),
    socket,
    stage: join(folder, "stage"),
    runtime: [process.execPath],
    developmentMode: true,
  });
  t.after(() => running.stop());
  const args = ["main.mjs", version, ...pieces.map((piece) => JSON.stringify(piece))];
  const server = { tree, digest: null, program: "node", args, environment: {}, bounds: DEFAULT_BOUNDS };
  const spawner = await Spawner.open(socket, [server], treeArchive);
  const upstream = new StdioUpstream({
    processes: new StdioProcesses((index) => spawner.start(index)),
    index: 0,
    clientInfo: { name: "gateway", version: "1" },
    limits: {},
    dial: async () => await Promise.reject(new Error("nothing is dialled")),
  });
  t.after(() => upstream.close());
  const heard: unknown[] = [];
  const peer: Peer = {
    ...silentPeer(t.signal),
    capabilities: { elicitation: {} },
    wantsLog: true,
    notify: async (_, { data }) => void heard.push(data),
    ask: async (_, { message }) => (heard.push(message), { action: "accept" }),
  };
  const ended: unknown = await upstream
    .request("alice", { method: "tools/call", params: { name: "tool", arguments: {} } }, peer)
    .catch((thrown: unknown) => (thrown instanceof CmcpError ? thrown.code : thrown));
  return { heard, ended };
}

test("a batch of a 2025-03-26 stdio server is read: what it says and asks, in its order, and its answer", {
  timeout: 60_000,
}, async (t) => {
  const question = { jsonrpc: "2.0", id: "question", method: "elicitation/create", params: { message: "which?" } };
  const { heard, ended } = await call(t, "2025-03-26", [said("one"), question, said("two")], [said("three"), ANSWER]);
  assert.deepEqual([heard, ended], [["one", "which?", "two", "three"], { kind: "complete", result: { content: [] } }]);
});

test("a batch of a stdio server of a later version is refused", { timeout: 60_000 }, async (t) => {
  assert.deepEqual(await call(t, "2025-06-18", [said("one"), ANSWER]), { heard: [], ended: "UPSTREAM_PROTOCOL_ERROR" });
});

test("a batch of a stdio server with too many messages is refused whole", { timeout: 60_000 }, async (t) => {
  const others = Array.from({ length: 64 }, () => said("on"));
  assert.deepEqual(await call(t, "2025-03-26", [...others, ANSWER]), { heard: [], ended: "UPSTREAM_PROTOCOL_ERROR" });
});
