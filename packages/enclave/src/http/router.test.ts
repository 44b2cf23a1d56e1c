/** What an agent may write where a session's name belongs: any host may forward any path. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyGateway } from "../testing/empty-gateway.ts";
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

for (const [what, choices, status] of [
  ["serves", {}, 200],
  ["drains", { draining: true }, 503],
  ["has lost the quorum of its witnesses", { quorumLost: true }, 503],
] as const)
  test(`a gateway that ${what} answers /readyz with ${status}`, async () => {
    const request = { method: "GET", url: "http://enclave.invalid/readyz", headers: { get: () => null }, body: null };
    const reply = await emptyGateway(choices)({ ...request, signal: new AbortController().signal });
    assert.equal(reply.status, status);
    assert.equal(reply.body, JSON.stringify({ ready: status === 200 }));
  });
