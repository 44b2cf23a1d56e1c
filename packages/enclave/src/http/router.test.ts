/** What an agent may write where a session's name belongs: any host may forward any path. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { untrusted } from "@cmcp/boundary";
import { chooseKey, encodeRequest, parseKeyConfigs, readResponse, SEALED_REQUEST_TYPE, sealRequest } from "@cmcp/seal";
import { emptyGateway, REPORT } from "../testing/empty-gateway.ts";
import type { InstanceReport } from "../instance/report.ts";
import type { SealKeyList } from "../instance/seal-keys.ts";
import type { Handler } from "./router.ts";

async function ask(handler: Handler, method: string, path: string): Promise<readonly [number, unknown]> {
  const { status, body } = await handler({
    method,
    url: `http://enclave.invalid${path}`,
    headers: { get: () => null },
    body: null,
    signal: new AbortController().signal,
  });
  assert.ok(typeof body === "string");
  return [status, (JSON.parse(body) as { error: { code: unknown } }).error.code];
}

const PATHS = [
  ["GET", (name: string) => `/audit/export?session_id=${name}`],
  ["POST", (name: string) => `/sessions/${name}/close`],
  ...["trace-claim", "trace-record", "evidence"].map(
    (what) => ["GET", (name: string) => `/sessions/${name}/${what}`] as const,
  ),
] as const;

for (const name of ["another session", "a/b", "é", "\0", "yearly", "x".repeat(200), "A".repeat(43)]) {
  test(`the name ${JSON.stringify(name.slice(0, 16))} is unknown wherever a session is named, and the host is not asked`, async () => {
    const handler = emptyGateway();
    for (const [method, path] of PATHS)
      assert.deepEqual(await ask(handler, method, path(encodeURIComponent(name))), [404, "NOT_FOUND"], path(name));
  });
}

test("percent signs in a path that encode no text are a bad request, no fault of the gateway", async () => {
  for (const part of ["%", "%zz", "%ff"])
    assert.deepEqual(
      await ask(emptyGateway(), "GET", `/sessions/${part}/trace-claim`),
      [400, "MCP_INVALID_REQUEST"],
      part,
    );
});

for (const [what, choices, why] of [
  ["serves", {}, null],
  ["drains", { draining: true }, "PHASE_VIOLATION"],
  ["has no tokens yet", { provisioned: false }, "NOT_PROVISIONED"],
  ["has lost the quorum of its witnesses", { quorumLost: true }, "WITNESS_UNAVAILABLE"],
] as const)
  test(`a gateway that ${what} says so at /readyz`, async () => {
    const request = { method: "GET", url: "http://enclave.invalid/readyz", headers: { get: () => null }, body: null };
    const reply = await emptyGateway(choices)({ ...request, signal: new AbortController().signal });
    assert.equal(reply.status, why === null ? 200 : 503);
    assert.equal(reply.body, JSON.stringify(why === null ? { ready: true } : { ready: false, why }));
  });

test("the newest report is for anybody, and what costs a report of its own is not", async () => {
  const handler = emptyGateway({ known: false });
  const request = { method: "GET", headers: { get: () => null }, body: null, signal: new AbortController().signal };
  const reply = await handler({ ...request, url: "http://enclave.invalid/attestation" });
  assert.equal(reply.status, 200);
  assert.ok(typeof reply.body === "string");
  const { seal, ...report } = JSON.parse(reply.body) as InstanceReport & { readonly seal: SealKeyList };
  assert.deepEqual(report, REPORT);
  assert.equal(parseKeyConfigs(untrusted(Buffer.from(seal.key_configs, "base64url"))).length, 2);
  for (const [method, path] of [
    ["GET", "/attestation?nonce=0123456789abcdef"],
    ["GET", "/attestation?nonce="],
    ["POST", "/attestation"],
    ["GET", "/attestation/"],
  ] as const)
    assert.deepEqual(await ask(handler, method, path), [401, "UNAUTHENTICATED"], path);
});

test("what a stale report refuses is said under the seal to who sealed, and the report itself is for anybody", async () => {
  const handler = emptyGateway({ sealed: true, stale: true });
  const signal = new AbortController().signal;
  const headers = (type: string | null) => ({ get: (name: string) => (name === "content-type" ? type : null) });
  const report = await handler({
    method: "GET",
    url: "http://enclave.invalid/attestation",
    headers: headers(null),
    body: null,
    signal,
  });
  assert.ok(typeof report.body === "string");
  const { seal } = JSON.parse(report.body) as { readonly seal: SealKeyList };
  const key = chooseKey(parseKeyConfigs(untrusted(Buffer.from(seal.key_configs, "base64url"))));
  const head = { method: "POST", scheme: "http", authority: "gateway.example", path: "/mcp", fields: [] };
  const request = sealRequest(key, only(encodeRequest(head, { content: Buffer.from("{}") })));
  const reply = await handler({
    method: "POST",
    url: "http://enclave.invalid/sealed",
    headers: headers(SEALED_REQUEST_TYPE),
    body: request.bytes,
    signal,
  });
  assert.ok(reply.status === 200 && reply.body !== null && typeof reply.body !== "string");
  const { head: inner, content } = await readResponse(request.openAnswer(reply.body), LIMITS);
  let text = "";
  for await (const piece of content) text += Buffer.from(piece).toString();
  assert.deepEqual([inner.status, text.includes("ATTESTATION_STALE")], [412, true], text);
});

const LIMITS = { contentBytes: 100_000, paddingBytes: 100_000 };

async function* only(piece: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield await Promise.resolve(piece);
}
