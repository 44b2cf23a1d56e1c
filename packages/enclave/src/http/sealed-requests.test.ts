import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, BufferedBytes, untrusted, type ErrorCode } from "@cmcp/boundary";
import type { HttpRequest, HttpResponse } from "@cmcp/mcp";
import {
  chooseKey,
  encodeRequest,
  parseKeyConfigs,
  readResponse,
  SEALED_REQUEST_TYPE,
  sealRequest,
  streamRequest,
  type Field,
  type GatewayKey,
  type SealedRequest,
} from "@cmcp/seal";
import { SealKeys } from "../instance/seal-keys.ts";
import { answerSealed, type Ingress, type SealedRequestPorts } from "./sealed-requests.ts";

const HEAD = { method: "POST", scheme: "https", authority: "gateway.example", path: "/mcp" };
const fields: readonly Field[] = [{ name: "content-type", value: "application/json" }];
const LIMITS = { contentBytes: 1_000_000, paddingBytes: 1_000_000 };
const ASSERTED = "x-cmcp-host-asserted-spiffe-id";

async function* only(...pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, void> {
  for (const piece of pieces) yield await Promise.resolve(piece);
}

async function bytesOf(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

interface Seen {
  readonly request: HttpRequest;
  readonly ingress: Ingress;
  readonly body: string | null;
}

/** A gateway that answers everything with what it saw. */
function gateway(reply: (seen: Seen) => HttpResponse = ({ body }) => ({ status: 201, headers: { a: "b" }, body })) {
  const keys = new SealKeys({ sign: () => new Uint8Array(64) });
  const seen: Seen[] = [];
  const parts: SealedRequestPorts = {
    keys,
    padding: true,
    handle: async (request, ingress) => {
      const body = request.body === null ? null : (await bytesOf(request.body)).toString();
      seen.push({ request, ingress, body });
      return reply({ request, ingress, body });
    },
  };
  const key = chooseKey(parseKeyConfigs(untrusted(Buffer.from(keys.list.key_configs, "base64url"))));
  return { parts, keys, key, seen };
}

function outer(body: AsyncIterable<Uint8Array>, headers: Readonly<Record<string, string>> = {}): HttpRequest {
  const all: Readonly<Record<string, string>> = { "content-type": SEALED_REQUEST_TYPE, ...headers };
  return {
    method: "POST",
    url: "http://enclave.invalid/sealed",
    headers: { get: (name) => all[name] ?? null },
    body,
    signal: new AbortController().signal,
    buffered: new BufferedBytes().share("nobody"),
  };
}

const sealed = (
  key: GatewayKey,
  text: string,
  given: Partial<typeof HEAD> & { fields?: readonly Field[] } = {},
): SealedRequest =>
  sealRequest(key, only(encodeRequest({ ...HEAD, fields, ...given }, { content: Buffer.from(text) })));

async function opened(request: SealedRequest, { body }: HttpResponse) {
  assert.ok(body !== null && typeof body !== "string");
  const { head, content } = await readResponse(request.openAnswer(body), LIMITS);
  return { head, text: (await bytesOf(content)).toString() };
}

test("what was sealed arrives as a request of its own, and its answer is sealed and padded", async () => {
  const { parts, key, seen } = gateway();
  const request = sealed(key, "a question", { path: "/mcp?x=1" });
  const reply = await answerSealed(parts, outer(request.bytes, { authorization: "Bearer outer" }));
  assert.deepEqual([reply.status, reply.headers["content-type"]], [200, "message/ohttp-chunked-res"]);
  assert.ok(reply.body !== null && typeof reply.body !== "string");
  const bytes = await bytesOf(reply.body);
  assert.ok(!bytes.includes("a question"));
  const { head, text } = await opened(request, { ...reply, body: only(bytes) });
  assert.deepEqual([head.status, head.fields, text], [201, [{ name: "a", value: "b" }], "a question"]);
  const [one] = seen;
  assert.deepEqual(
    [one?.request.method, one?.request.url, one?.request.headers.get("content-type"), one?.ingress.channel],
    ["POST", "http://enclave.invalid/mcp?x=1", "application/json", "sealed"],
  );
  assert.equal(one?.request.headers.get("authorization"), null, "a field outside is none of the request inside");
});

test("an answer that is there as a whole leaves in one piece, however long it is", async () => {
  for (const length of [0, 3, 100_000]) {
    const { parts, key } = gateway(() => ({ status: 200, headers: {}, body: "x".repeat(length) }));
    const request = sealed(key, "");
    const reply = await answerSealed(parts, outer(request.bytes));
    assert.ok(reply.body !== null && typeof reply.body !== "string");
    const pieces: Uint8Array[] = [];
    for await (const piece of reply.body) pieces.push(piece);
    assert.equal(pieces.length, 1);
    const { text } = await opened(request, { ...reply, body: only(...pieces) });
    assert.equal(text.length, length);
  }
});

test("answers of about one length have one length", async () => {
  const { parts, key } = gateway(({ body }) => ({ status: 200, headers: {}, body: (body ?? "").repeat(3) }));
  const lengths = await Promise.all(
    [1, 50, 100].map(async (length) => {
      const { body } = await answerSealed(parts, outer(sealed(key, "x".repeat(length)).bytes));
      assert.ok(body !== null && typeof body !== "string");
      return (await bytesOf(body)).length;
    }),
  );
  assert.equal(new Set(lengths).size, 1);
});

test("an answer that comes in pieces is sealed piece by piece", async () => {
  const later = Promise.withResolvers<Uint8Array>();
  async function* events(): AsyncGenerator<Uint8Array, void, void> {
    yield Buffer.from("first");
    yield await later.promise;
  }
  const { parts, key } = gateway(() => ({ status: 200, headers: {}, body: events() }));
  const request = sealed(key, "");
  const { body } = await answerSealed(parts, outer(request.bytes));
  assert.ok(body !== null && typeof body !== "string");
  const { content } = await readResponse(request.openAnswer(body), LIMITS);
  const pieces = content[Symbol.asyncIterator]();
  assert.equal(Buffer.from((await pieces.next()).value ?? "").toString(), "first");
  later.resolve(Buffer.from("second"));
  assert.equal(Buffer.from((await pieces.next()).value ?? "").toString(), "second");
  assert.equal((await pieces.next()).done, true);
});

test("a request is marked as acted on when its caller is authenticated, and never before", async () => {
  let refuses = true;
  const { parts, key, seen } = gateway(({ ingress }) => {
    if (!refuses) ingress.authenticated();
    return { status: 200, headers: {}, body: null };
  });
  const bytes = await bytesOf(sealed(key, "one").bytes);
  const send = async (): Promise<HttpResponse> => await answerSealed(parts, outer(only(bytes)));
  await send();
  await send();
  refuses = false;
  await send();
  for (let replay = 0; replay < 20; replay += 1) await assert.rejects(send(), { code: "SEAL_REPLAYED" });
  assert.equal(seen.length, 23);
});

async function refused(
  of: (key: GatewayKey) => AsyncIterable<Uint8Array> | Promise<AsyncIterable<Uint8Array>>,
  code: ErrorCode,
): Promise<void> {
  const { parts, key, seen } = gateway();
  await assert.rejects(
    async () => await answerSealed(parts, outer(await of(key))),
    (thrown) => thrown instanceof CmcpError && thrown.code === code,
  );
  assert.equal(seen.length, 0, "nothing of it was handed on");
}

/** A request that opens and is none: its sealer alone is told so. */
async function refusedInside(of: (key: GatewayKey) => SealedRequest, status: number, code: ErrorCode): Promise<void> {
  const { parts, key, seen } = gateway();
  const request = of(key);
  const reply = await answerSealed(parts, outer(request.bytes));
  assert.equal(reply.status, 200);
  const { head, text } = await opened(request, reply);
  assert.deepEqual([head.status, (JSON.parse(text) as { error: { code: string } }).error.code], [status, code]);
  assert.equal(seen.length, 0, "nothing of it was handed on");
}

test("a request that is cut, changed or of another key is not acted on", async () => {
  const whole = async (key: GatewayKey): Promise<Buffer> => await bytesOf(sealed(key, "a question").bytes);
  for (const cut of [1, 17, 40, 200])
    await refused(async (key) => only((await whole(key)).subarray(0, -cut)), "SEAL_NOT_OPENED");
  await refused(async (key) => {
    const bytes = await whole(key);
    bytes[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1;
    return only(bytes);
  }, "SEAL_NOT_OPENED");
  await refused((key) => sealed({ ...key, id: 99 }, "x").bytes, "SEAL_NOT_OPENED");
  await refused(() => sealed(gateway().key, "x").bytes, "SEAL_NOT_OPENED");
  await refused(() => only(), "SEAL_NOT_OPENED");
});

test("what only a host says, a field twice, and a path that is none are refused under the seal", async () => {
  const [twice, asserted] = [[...fields, ...fields], [{ name: ASSERTED, value: "spiffe://x/y" }]];
  for (const given of [
    { fields: asserted },
    { fields: twice },
    ...["//evil.example/mcp", "*"].map((path) => ({ path })),
  ])
    await refusedInside((key) => sealed(key, "", given), 400, "BINARY_HTTP_INVALID");
});

test("what is held of a request and of its answer is counted until the exchange is over, and has a bound", async () => {
  const buffered = new BufferedBytes(40_000);
  const { parts, key } = gateway(({ body }) => ({ status: 200, headers: {}, body }));
  const share = buffered.share("nobody");
  const reply = await answerSealed(parts, { ...outer(sealed(key, "x".repeat(5_000)).bytes), buffered: share });
  assert.equal(reply.status, 200);
  assert.ok(buffered.held > 10_000, "both are held");
  share.free();
  assert.equal(buffered.held, 0);
  const large = sealed(key, "x".repeat(30_000));
  const { head } = await opened(
    large,
    await answerSealed(parts, { ...outer(large.bytes), buffered: buffered.share("nobody") }),
  );
  assert.equal(head.status, 503);
});

test("what the host asserts is read outside of the seal", async () => {
  const { parts, key, seen } = gateway();
  await answerSealed(parts, outer(sealed(key, "").bytes, { [ASSERTED]: "spiffe://a/b" }));
  assert.equal(seen[0]?.request.headers.get(ASSERTED), "spiffe://a/b");
});

test("another method, type or no content is no sealed request", async () => {
  const { parts, key } = gateway();
  const { bytes } = sealed(key, "");
  await assert.rejects(answerSealed(parts, { ...outer(bytes), method: "GET" }), { code: "METHOD_NOT_ALLOWED" });
  await assert.rejects(answerSealed(parts, { ...outer(bytes), body: null }), { code: "MCP_INVALID_REQUEST" });
  await assert.rejects(answerSealed(parts, outer(bytes, { "content-type": "application/json" })), {
    code: "MCP_INVALID_REQUEST",
  });
});

test("content above the bound is refused before it is held", async () => {
  async function* endless(): AsyncGenerator<Uint8Array, void, void> {
    for (;;) yield await Promise.resolve(new Uint8Array(16_384));
  }
  const message = streamRequest({ ...HEAD, fields }, { content: endless() });
  await refusedInside((key) => sealRequest(key, message), 413, "BINARY_HTTP_TOO_LARGE");
});
