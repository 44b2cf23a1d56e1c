/** What a gateway is sent as a sealed request and is none: uniform refusals, nothing acted on, and the next request served. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { after, before, describe, test } from "node:test";
import { untrusted } from "@cmcp/boundary";
import {
  chooseKey,
  encodeRequest,
  parseKeyConfigs,
  readResponse,
  SEALED_REQUEST_TYPE,
  sealRequest,
  streamRequest,
  SUITES,
  type Field,
  type GatewayKey,
  type SealedRequest,
} from "@cmcp/seal";
import { startFixture, type Fixture } from "../gateway/fixture.ts";
import { startInProcess } from "../gateway/in-process.ts";

const LIMITS = { contentBytes: 1_000_000, paddingBytes: 1_000_000 };
const CALL = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: "send_message", arguments: { to: "ops@example.org", text: "hello" } },
});

async function* only(...pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, void> {
  for (const piece of pieces) yield await Promise.resolve(piece);
}

async function bytesOf(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece.slice());
  return Buffer.concat(all);
}

async function keyOf(url: string): Promise<GatewayKey> {
  const report = (await (await fetch(`${url}/attestation`)).json()) as { seal: { key_configs: string } };
  return chooseKey(parseKeyConfigs(untrusted(Buffer.from(report.seal.key_configs, "base64url"))));
}

const startSealed = async (): Promise<Fixture> =>
  await startFixture(async (config, environment) => {
    await writeFile(config, `${await readFile(config, "utf8")}enclave: {channel: sealed}\n`);
    return await startInProcess(config, environment);
  });

/** A sealed call with changes to the request inside. */
function callUnder(
  key: GatewayKey,
  token: string,
  { path = "/mcp", method = "POST", fields = [] }: { path?: string; method?: string; fields?: readonly Field[] } = {},
): SealedRequest {
  const own = [
    { name: "authorization", value: `Bearer ${token}` },
    { name: "content-type", value: "application/json" },
    { name: "accept", value: "application/json, text/event-stream" },
  ];
  const head = { method, scheme: "http", authority: "gateway.example", path, fields: [...own, ...fields] };
  return sealRequest(key, only(encodeRequest(head, { content: Buffer.from(method === "GET" ? "" : CALL) })));
}

describe("bad sealed input", () => {
  let fixture: Fixture;
  let key: GatewayKey;
  before(async () => {
    fixture = await startSealed();
    key = await keyOf(fixture.gateway.url);
  });
  after(() => fixture.close());

  const post = async (body: Uint8Array, url = fixture.gateway.url): Promise<Response> =>
    await fetch(`${url}/sealed`, {
      method: "POST",
      headers: { "content-type": SEALED_REQUEST_TYPE },
      body: Buffer.from(body),
    });
  const opened = async (request: SealedRequest, reply: Response) => {
    assert.deepEqual([reply.status, reply.headers.get("content-type")], [200, "message/ohttp-chunked-res"]);
    const { head, content } = await readResponse(request.openAnswer(only(await reply.bytes())), LIMITS);
    return { status: head.status, text: (await bytesOf(content)).toString() };
  };
  /** A call of a well-behaved agent is answered, and reaches the server once. */
  const serves = async (): Promise<void> => {
    const calls = fixture.records.calls.length;
    const request = callUnder(key, fixture.token);
    const { status, text } = await opened(request, await post(await bytesOf(request.bytes)));
    assert.equal(status, 200, text);
    assert.equal(fixture.records.calls.length, calls + 1);
  };

  test("whatever does not open has one answer, whatever is wrong with it", async () => {
    const calls = fixture.records.calls.length;
    const good = await bytesOf(callUnder(key, fixture.token).bytes);
    const other = SUITES.find((suite) => suite !== key.suite) ?? assert.fail();
    const stranger = other.kem.keyOf(new Uint8Array(32).fill(7));
    const changed = (at: number, value: number): Buffer => Buffer.from(good.with(at, value));
    const end = good.length - 1;
    const bad: Readonly<Record<string, Uint8Array>> = {
      "an id that no key has": changed(0, 200),
      "a mechanism that there is not": changed(1, 0xff),
      "a derivation that there is not": changed(4, 0xff),
      "a cipher that there is not": changed(6, 0xff),
      "another key under the id": await bytesOf(
        callUnder({ ...key, publicKey: key.suite.kem.keyOf(new Uint8Array(32).fill(9)).publicKey }, fixture.token)
          .bytes,
      ),
      "the other suite under the id": await bytesOf(
        callUnder({ id: key.id, suite: other, publicKey: stranger.publicKey }, fixture.token).bytes,
      ),
      "an encapsulated key that was changed": changed(20, (good[20] ?? 0) ^ 1),
      "a chunk that was changed": changed(end - 40, (good[end - 40] ?? 0) ^ 1),
      "a chunk that says it is larger than any": Buffer.concat([
        good.subarray(0, 7 + key.suite.kem.encapsulatedBytes),
        Buffer.from([0x80, 0x00, 0x40, 0x11]),
        Buffer.alloc(20_000),
      ]),
      "the header alone": good.subarray(0, 7 + key.suite.kem.encapsulatedBytes),
      "no final chunk": good.subarray(0, -17),
      "its end cut off": good.subarray(0, -1),
      "bytes after its end": Buffer.concat([good, Buffer.from([0])]),
      "one byte": good.subarray(0, 1),
      noise: Buffer.alloc(4_000, 0x5a),
    };
    const answers = new Set<string>();
    for (const [name, body] of Object.entries(bad)) {
      const reply = await post(body);
      const text = await reply.text();
      assert.match(text, /SEAL_NOT_OPENED/, name);
      answers.add(`${reply.status} ${text}`);
    }
    assert.equal(answers.size, 1, [...answers].join("\n"));
    assert.equal(fixture.records.calls.length, calls);
    await serves();
  });

  test("what opens and is no request is refused under the seal: fields of a host's, paths that are not served", async () => {
    const calls = fixture.records.calls.length;
    const asserted = { name: "x-cmcp-host-asserted-spiffe-id", value: "spiffe://trust.example/admin" };
    for (const [what, status, code] of [
      [{ fields: [asserted] }, 400, "BINARY_HTTP_INVALID"],
      [{ fields: [{ name: "authorization", value: "Bearer another" }] }, 400, "BINARY_HTTP_INVALID"],
      [{ path: "//evil.example/mcp" }, 400, "BINARY_HTTP_INVALID"],
      [{ path: "/nowhere" }, 404, "NOT_FOUND"],
      [{ path: "/sealed" }, 404, "NOT_FOUND"],
      [{ path: "/mcp/../mcp/x" }, 400, "BINARY_HTTP_INVALID"],
      [{ path: "/mcp/%2e%2e/mcp/x" }, 400, "BINARY_HTTP_INVALID"],
      [{ path: "/mcp/x/y" }, 404, "NOT_FOUND"],
      [{ path: "/v1/status", method: "DELETE" }, 405, "METHOD_NOT_ALLOWED"],
    ] as const) {
      const request = callUnder(key, fixture.token, what);
      const reply = await opened(request, await post(await bytesOf(request.bytes)));
      assert.deepEqual(
        [reply.status, reply.text.includes(code)],
        [status, true],
        `${JSON.stringify(what)}: ${reply.text}`,
      );
    }
    assert.equal(fixture.records.calls.length, calls);
    await serves();
  });

  test("a request that never ends is refused, and holds up nobody", async () => {
    const endless = async function* (length: number): AsyncGenerator<Uint8Array, void, void> {
      for (;;) yield await Promise.resolve(new Uint8Array(length));
    };
    const head = { method: "POST", scheme: "http", authority: "gateway.example", path: "/mcp", fields: [] };
    for (const content of [endless(16_000), endless(1_000)]) {
      const { bytes } = sealRequest(key, streamRequest(head, { content }));
      const url = new URL(`${fixture.gateway.url}/sealed`);
      const sending = httpRequest(url, { method: "POST", headers: { "content-type": SEALED_REQUEST_TYPE } });
      const ended = new Promise<number | null>((resolve) => {
        sending.once("response", (reply) => resolve(reply.resume().statusCode ?? null));
        sending.once("error", () => resolve(null));
        sending.once("close", () => resolve(null));
      });
      let over = false;
      void ended.then(() => (over = true));
      await serves();
      for await (const piece of bytes) {
        if (over) break;
        if (!sending.write(piece))
          await Promise.race([ended, new Promise((resolve) => sending.once("drain", resolve))]);
      }
      sending.destroy();
      assert.ok(over, "it was cut off");
    }
    await serves();
  });

  test("another instance opens nothing that was sealed to this one, though its keys have the same ids", async () => {
    const other = await startSealed();
    try {
      assert.equal((await keyOf(other.gateway.url)).id, key.id);
      const request = callUnder(key, other.token);
      const reply = await post(await bytesOf(request.bytes), other.gateway.url);
      assert.match(await reply.text(), /SEAL_NOT_OPENED/);
      assert.equal(other.records.calls.length, 0);
    } finally {
      await other.close();
    }
  });
});
