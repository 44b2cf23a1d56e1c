/** Tasks over one connection for everything: the official server's standard input and output. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { silentPeer, type Peer } from "../../peer.ts";
import { readTask } from "../../tasks/state.ts";
import { readMessages } from "../message-batch.ts";
import type { OpenChannel } from "./channel.ts";
import { ChannelClient } from "./client.ts";

const entry = join(
  dirname(createRequire(import.meta.url).resolve("@modelcontextprotocol/server-everything/package.json")),
  "dist/index.js",
);

const everything: OpenChannel = async (receiver) => {
  const child = spawn(process.execPath, [entry, "stdio"], { stdio: ["pipe", "pipe", "ignore"] });
  createInterface({ input: child.stdout }).on("line", (line) => {
    for (const message of readMessages(line, 1_000_000, receiver.batches)) void receiver.received(message);
  });
  return {
    send: async (text) => void child.stdin.write(`${text}\n`),
    closed: new Promise((resolve) =>
      child.once("exit", () => resolve(new CmcpError("UPSTREAM_UNAVAILABLE", "the server has ended"))),
    ),
    close: async () => void child.kill(),
  };
};

test("a task is made, asks its question of whoever waits for it, and gives its result", {
  timeout: 60_000,
}, async (t) => {
  const client = new ChannelClient({ open: () => everything, clientInfo: { name: "gateway", version: "1" } });
  t.after(() => client.close());
  const asked: string[] = [];
  const signal = AbortSignal.timeout(60_000);
  const peer = (name: string): Peer => ({
    ...silentPeer(signal),
    capabilities: { elicitation: {} },
    ask: async (method) => {
      asked.push(`${name} ${method}`);
      return { action: "accept", content: { interpretation: "technical" } };
    },
  });
  const ask = async (method: string, params: JsonObject, name = "agent"): Promise<JsonObject> => {
    const answer = await client.request("s", { method, params }, peer(name));
    assert.equal(answer.kind, "complete");
    return answer.kind === "complete" ? answer.result : {};
  };
  const { task } = await ask("tools/call", {
    name: "simulate-research-query",
    arguments: { topic: "python", ambiguous: true },
    task: { ttl: 60_000 },
  });
  const { taskId, status } = readTask(task);
  assert.equal(status, "working");
  const result = ask("tasks/result", { taskId }, "waiting");
  for (
    let polled = readTask(await ask("tasks/get", { taskId }, "polling"));
    polled.status !== "completed";
    polled = readTask(await ask("tasks/get", { taskId }, "polling"))
  )
    await new Promise((resolve) => setTimeout(resolve, 100));
  assert.match(JSON.stringify((await result).content), /technical/);
  assert.deepEqual(asked, ["waiting elicitation/create"]);
});
