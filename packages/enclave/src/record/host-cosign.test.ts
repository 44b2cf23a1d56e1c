/** Cosigning against a real host service over a real Unix socket. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { examine } from "@cmcp/boundary";
import { ExchangePool, listenUnix, serveStream, unixDialer, type IncomingExchange } from "@cmcp/wire";
import { hostCosign } from "./host-cosign.ts";
import type { Cosign } from "./witnesses.ts";

/** What the frames' specification bounds the answer by. */
const MAX_ANSWER_BYTES = 128 * 1024;
const NEVER = new AbortController().signal;

async function cosigning(t: TestContext, serve: (exchange: IncomingExchange) => Promise<void>): Promise<Cosign> {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-cosign-"));
  const path = join(folder, "s.sock");
  const listener = await listenUnix(path, (stream) => serveStream(stream, serve));
  const pool = new ExchangePool(unixDialer(path), { maxStreams: 2 });
  t.after(async () => {
    await pool.close();
    await listener.close();
    await rm(folder, { recursive: true, force: true });
  });
  return hostCosign(pool);
}

async function noteOf(exchange: IncomingExchange): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of exchange.body) chunks.push(examine(chunk));
  return Buffer.concat(chunks).toString();
}

async function answer(exchange: IncomingExchange, lines: string): Promise<void> {
  await exchange.respond({ status: 200, headers: {} });
  for (let at = 0; at < lines.length; at += 16_384) await exchange.write(Buffer.from(lines.slice(at, at + 16_384)));
  await exchange.end();
}

test("the host gets the note, and its answer comes as it is", async (t) => {
  const cosign = await cosigning(t, async (exchange) => {
    assert.equal(exchange.opening.t, "cosign");
    await answer(exchange, `over ${await noteOf(exchange)}`);
  });
  assert.equal(await cosign("a note\n", NEVER), "over a note\n");
  assert.equal(await cosign("another\n", NEVER), "over another\n");
});

test("an answer of the largest size is taken, and a larger one is not", async (t) => {
  let size = MAX_ANSWER_BYTES;
  const cosign = await cosigning(t, async (exchange) => await answer(exchange, "x".repeat(size)));
  assert.equal((await cosign("n\n", NEVER)).length, MAX_ANSWER_BYTES);
  size += 1;
  await assert.rejects(cosign("n\n", NEVER));
});

test("a host that refuses, or does not answer until the signal, fails", async (t) => {
  const refusing = await cosigning(t, async (exchange) => await exchange.fail("WITNESS_UNAVAILABLE", "none"));
  await assert.rejects(refusing("n\n", NEVER), { code: "WITNESS_UNAVAILABLE" });
  const over = new AbortController();
  const silent = await cosigning(t, async (exchange) => {
    over.abort();
    await new Promise<void>((resolve) => exchange.signal.addEventListener("abort", () => resolve(), { once: true }));
  });
  await assert.rejects(silent("n\n", over.signal));
});
