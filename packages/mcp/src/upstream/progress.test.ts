import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { silentPeer } from "../peer.ts";
import { forever } from "../testing/upstream.ts";
import { Progress } from "./progress.ts";

const EXTRA = { note: "secret", _meta: { note: "secret" } };

test("progress and log messages are rebuilt from the members that MCP gives them", async () => {
  const heard: JsonObject[] = [];
  const peer = {
    ...silentPeer(forever),
    progressToken: 1,
    wantsLog: true,
    notify: async (_: string, params: JsonObject) => void heard.push(params),
  };
  const progress = new Progress(peer, 1);
  const pass = (name: string, params: JsonObject): Promise<void> =>
    progress.pass({ kind: "notification", method: `notifications/${name}`, params });
  await pass("progress", { ...EXTRA, progressToken: 1, progress: 1, total: 2, message: "half" });
  await pass("progress", { progressToken: 1, progress: 2, total: "secret", message: { of: "secret" } });
  await pass("message", { ...EXTRA, level: "info", logger: "main", data: { any: "shape" } });
  await pass("message", { level: "secret", logger: ["secret"], data: "text" });
  assert.deepEqual(heard, [
    { progress: 1, total: 2, message: "half" },
    { progress: 2 },
    { level: "info", logger: "main", data: { any: "shape" } },
    { data: "text" },
  ]);
});
