/** One sealed call that its host sends ten thousand times, and under clocks that are years off: it is one call. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { untrusted } from "@cmcp/boundary";
import { chooseKey, encodeRequest, parseKeyConfigs, readResponse, SEALED_REQUEST_TYPE, sealRequest } from "@cmcp/seal";
import { startFixture } from "../gateway/fixture.ts";
import { startInProcess } from "../gateway/in-process.ts";

const REPLAYS = 10_000;
const AT_ONCE = 16;
const LIMITS = { contentBytes: 1_000_000, paddingBytes: 1_000_000 };
const YEARS_MS = 10 * 365 * 86_400_000;
const CALL = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: "send_message", arguments: { to: "ops@example.org", text: "hello" } },
});

async function* only(piece: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield await Promise.resolve(piece);
}

async function bytesOf(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece.slice());
  return Buffer.concat(all);
}

test("ten thousand replays of a call are one call, and no clock makes another of one", {
  timeout: 600_000,
}, async (t) => {
  const fixture = await startFixture(async (config, environment) => {
    await writeFile(config, `${await readFile(config, "utf8")}enclave: {channel: sealed}\n`);
    return await startInProcess(config, environment);
  });
  t.after(() => fixture.close());
  const { url } = fixture.gateway;
  const report = (await (await fetch(`${url}/attestation`)).json()) as { seal: { key_configs: string } };
  const key = chooseKey(parseKeyConfigs(untrusted(Buffer.from(report.seal.key_configs, "base64url"))));
  const fields = [
    { name: "authorization", value: `Bearer ${fixture.token}` },
    { name: "content-type", value: "application/json" },
    { name: "accept", value: "application/json, text/event-stream" },
  ];
  const head = { method: "POST", scheme: "http", authority: "gateway.example", path: "/mcp", fields };
  const request = sealRequest(key, only(encodeRequest(head, { content: Buffer.from(CALL) })));
  const body = await bytesOf(request.bytes);
  const send = async (): Promise<string> => {
    const reply = await fetch(`${url}/sealed`, {
      method: "POST",
      headers: { "content-type": SEALED_REQUEST_TYPE },
      body: Buffer.from(body),
    });
    const bytes = await reply.bytes();
    assert.deepEqual([reply.status, reply.headers.get("content-type")], [200, "message/ohttp-chunked-res"]);
    const { head: inner, content } = await readResponse(request.openAnswer(only(bytes)), LIMITS);
    const text = (await bytesOf(content)).toString();
    return inner.status === 200 ? "answered" : (/SEAL_REPLAYED/.exec(text)?.[0] ?? text);
  };
  const answers = new Map<string, number>();
  let left = REPLAYS;
  const replay = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const answer = await send();
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, replay));
  assert.deepEqual(Object.fromEntries(answers), { answered: 1, SEAL_REPLAYED: REPLAYS - 1 });
  const now = Date.now();
  for (const off of [-YEARS_MS, YEARS_MS]) {
    t.mock.method(Date, "now", () => now + off);
    assert.equal(await send(), "SEAL_REPLAYED");
    t.mock.restoreAll();
  }
  assert.equal(fixture.records.calls.length, 1);
});
