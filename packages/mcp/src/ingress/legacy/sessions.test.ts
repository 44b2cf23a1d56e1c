/** Sessions of the legacy era: how they begin, in which version, how they are found and how they end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { LEGACY_VERSIONS, SUPPORTED_VERSIONS } from "../../index.ts";
import {
  alice,
  bob,
  ask,
  post,
  rpc,
  call,
  initializeParams,
  start,
  initialized,
  assertRefused,
} from "../../testing/ask.ts";

for (const version of LEGACY_VERSIONS) {
  test(`initialize agrees on ${version} and opens a session`, async () => {
    const { endpoint, gateway } = start();
    const { status, headers, body } = await ask(endpoint, post(rpc("initialize", initializeParams(version))));
    assert.equal(status, 200);
    assert.ok(gateway.open.has(headers.get("mcp-session-id") ?? ""));
    const tasks =
      version === "2025-11-25" ? { tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } } } : {};
    assert.deepEqual(body.result, {
      protocolVersion: version,
      capabilities: { tools: {}, ...tasks },
      serverInfo: { name: "gateway", version: "1.2.3" },
    });
    assert.equal(headers.get("cache-control"), "no-store");
  });
}

test("initialize for a version not spoken here is answered with the newest that is", async () => {
  const { endpoint } = start();
  for (const version of ["2024-11-05", "2026-07-28", "1"]) {
    const { body } = await ask(endpoint, post(rpc("initialize", initializeParams(version))));
    assert.equal(body.result?.protocolVersion, "2025-11-25");
  }
});

test("initialize with wrong parameters, with _cmcp, or inside a session opens nothing", async () => {
  const { endpoint, gateway } = start();
  const params = { status: 400, rpc: -32602, code: "MCP_INVALID_REQUEST", id: 1 };
  const good = initializeParams("2025-11-25");
  for (const wrong of [
    {},
    { ...good, protocolVersion: 1 },
    { ...good, capabilities: [] },
    { ...good, clientInfo: { name: "agent" } },
    { ...good, _cmcp: { session_id: "s" } },
  ]) {
    assertRefused(await ask(endpoint, post(rpc("initialize", wrong))), params);
  }
  assert.equal(gateway.open.size, 0);
  const session = await initialized(endpoint);
  assertRefused(await ask(endpoint, post(rpc("initialize", good), session)), {
    status: 200,
    rpc: -32600,
    code: "MCP_INVALID_REQUEST",
    id: 1,
  });
  assert.equal(gateway.open.size, 1);
});

test("no room for a session is said with its own code and status", async () => {
  const { endpoint, gateway } = start();
  gateway.sessions.open = () => {
    throw new CmcpError("SESSION_LIMIT_REACHED", "too many sessions");
  };
  assertRefused(await ask(endpoint, post(rpc("initialize", initializeParams("2025-11-25")))), {
    status: 429,
    rpc: -32000,
    code: "SESSION_LIMIT_REACHED",
    id: 1,
  });
});

test("versions that are not spoken are refused by name, with those that are and the request's id", async () => {
  const { endpoint } = start();
  for (const version of ["2024-11-05", "2027-01-01", "nonsense"]) {
    const answer = await ask(endpoint, post(rpc("ping"), { "mcp-protocol-version": version }));
    assertRefused(answer, { status: 400, rpc: -32022, code: "NOT_SUPPORTED", id: 1 });
    assert.match(answer.body.error?.message ?? "", new RegExp(`${version} is not supported by this gateway`));
    assert.deepEqual(answer.body.error?.data.supported, [...SUPPORTED_VERSIONS]);
    assert.equal(answer.body.error?.data.requested, version);
  }
});

test("a version header other than the one negotiated is refused; without one the negotiated holds", async () => {
  const { endpoint } = start();
  const session = await initialized(endpoint, "2025-06-18");
  const other = await ask(endpoint, post(rpc("ping"), { ...session, "mcp-protocol-version": "2025-11-25" }));
  assertRefused(other, { status: 400, rpc: -32600, code: "MCP_INVALID_REQUEST", id: 1 });
  assert.equal((await ask(endpoint, post(rpc("ping"), session))).status, 200);
  assert.equal(
    (await ask(endpoint, post(rpc("ping"), { "mcp-session-id": session["mcp-session-id"] ?? "" }))).status,
    200,
  );
});

test("a handle that is unknown, empty, ended or another principal's is 404", async () => {
  const { endpoint } = start();
  const session = await initialized(endpoint);
  const unknown = { status: 404, rpc: -32000, code: "MCP_SESSION_UNKNOWN", id: 1 };
  assertRefused(await ask(endpoint, post(rpc("ping"), { "mcp-session-id": "nope" })), unknown);
  assertRefused(await ask(endpoint, post(rpc("ping"), { "mcp-session-id": "" })), unknown);
  assertRefused(await ask(endpoint, post(rpc("ping"), session), bob), unknown);
  await ask(endpoint, new Request("http://gateway/mcp", { method: "DELETE", headers: session }));
  assertRefused(await ask(endpoint, post(rpc("ping"), session)), unknown);
});

test("a session that initialize did not open has no handle here", async () => {
  const { endpoint, gateway } = start();
  const { handle } = gateway.sessions.open(alice);
  assertRefused(await ask(endpoint, post(rpc("ping"), { "mcp-session-id": handle })), {
    status: 404,
    rpc: -32000,
    code: "MCP_SESSION_UNKNOWN",
    id: 1,
  });
});

test("DELETE ends the session and stops what it runs; without a handle, or for another's, it ends nothing", async () => {
  const { endpoint, gateway } = start();
  const session = await initialized(endpoint);
  const remove = (headers: Record<string, string>): Request =>
    new Request("http://gateway/mcp", { method: "DELETE", headers });
  assertRefused(await ask(endpoint, remove({})), { status: 400, rpc: -32600, code: "MCP_INVALID_REQUEST" });
  assertRefused(await ask(endpoint, remove(session), bob), { status: 404, rpc: -32000, code: "MCP_SESSION_UNKNOWN" });
  assertRefused(await ask(endpoint, remove({ ...session, "mcp-protocol-version": "2026-07-28" })), {
    status: 405,
    rpc: -32600,
    code: "METHOD_NOT_ALLOWED",
  });
  assertRefused(await ask(endpoint, remove({ ...session, "mcp-protocol-version": "1999-01-01" })), {
    status: 400,
    rpc: -32022,
    code: "NOT_SUPPORTED",
  });
  assert.deepEqual(gateway.ended, []);
  gateway.reply = (_, __, signal) =>
    new Promise((resolve) =>
      signal.addEventListener("abort", () => resolve({ kind: "result", result: { stopped: true } })),
    );
  const running = ask(endpoint, post(call(), session));
  while (gateway.calls.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await ask(endpoint, remove(session))).status, 204);
  assert.deepEqual((await running).body.result, { stopped: true });
  assert.deepEqual(gateway.ended, [session["mcp-session-id"]]);
});
