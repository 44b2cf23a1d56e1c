/** The enclave's script may ask Node for these of its modules and for nothing else: each is trusted code. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

const BUNDLES = new URL("../../packages/cli/dist/enclave/", import.meta.url);

async function builtinsOf(script: string): Promise<string[]> {
  const text = await readFile(new URL(script, BUNDLES), "utf8");
  const asked = text.matchAll(/\brequire\("(?:node:)?([a-z0-9_/]+)"\)/g);
  return [...new Set(Array.from(asked, ([, name]) => name ?? ""))].toSorted();
}

test("the enclave loads no module of Node's but these", async () => {
  const expected = [
    "assert async_hooks buffer crypto diagnostics_channel events fs fs/promises http",
    // undici loads it for its HTTP/2 client, which no pool allows.
    "http2",
    "net os path perf_hooks process querystring",
    // undici names this one where it looks for what Node has, and does not load it.
    "sqlite",
    "stream stream/web timers/promises tls url util util/types worker_threads zlib",
  ];
  assert.deepEqual(await builtinsOf("enclave.cjs"), expected.join(" ").split(" "));
});

test("the compile worker loads no module of Node's but these", async () => {
  assert.deepEqual(await builtinsOf("policy-worker.cjs"), ["fs", "worker_threads"]);
});
