/** A host that keeps sessions from being closed: what made room for others does not gather without end. */
import assert from "node:assert/strict";
import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { deployQuickstart } from "../gateway/deployment.ts";
import type { RpcReply } from "../gateway/fixture.ts";
import { startRecordsServer } from "../servers/records-server.ts";
import { startObservedHost } from "./observed-host.ts";

const MAX = 2;

test("sessions that made room and cannot be closed are bounded, and closed once they can be", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-unclosed-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const records = await startRecordsServer();
  t.after(() => records.close());
  const config = await deployQuickstart(join(folder, "deployment"), { everythingPort: 1, recordsPort: records.port, recordsFingerprint: records.fingerprint });
  await appendFile(config, `enclave:\n  max_sessions_per_principal: ${MAX}\n`);
  const host = await startObservedHost(config, { CMCP_DEV_MODE: "1", CMCP_BEARER_TOKEN: "unclosed-test-token-unclosed-test-1" });
  t.after(() => host.close());
  await host.startEnclave();

  const initialize = { jsonrpc: "2.0", id: 1, method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } } };
  const open = async (): Promise<{ handle: string | undefined; code: unknown }> => {
    const { headers, body } = await host.request("POST", "/mcp", initialize);
    return { handle: headers["mcp-session-id"], code: (JSON.parse(body) as RpcReply).error?.data?.error_code };
  };
  const use = async (handle = ""): Promise<void> => {
    const call = { jsonrpc: "2.0", id: 2, method: "tools/call", params: { name: "send_message", arguments: { to: "a", text: "x" } } };
    const { status } = await host.request("POST", "/mcp", call, { "mcp-session-id": handle, "mcp-protocol-version": "2025-11-25" });
    assert.equal(status, 200);
  };
  const evicted = async (): Promise<number> => (JSON.parse((await host.request("GET", "/v1/status")).body) as { sessions: { evicted: number } }).sessions.evicted;

  host.observe((point) => {
    if (point === "claim received") throw new Error("the host keeps the claim out of its store");
  });
  for (let session = 0; session < 2 * MAX; session += 1) await use((await open()).handle);
  assert.equal(await evicted(), MAX);
  const labelled = async (): Promise<unknown> => {
    const call = { jsonrpc: "2.0", id: 3, method: "tools/call", params: { name: "send_message", arguments: { to: "a", text: "x" }, _cmcp: { session_id: "new" } } };
    return (JSON.parse((await host.request("POST", "/mcp", call)).body) as RpcReply).error?.data?.error_code;
  };
  assert.deepEqual(await Promise.all([open(), labelled()]), [{ handle: undefined, code: "SESSION_LIMIT_REACHED" }, "SESSION_LIMIT_REACHED"]);
  assert.equal(await evicted(), MAX);

  const waiting = open();
  host.observe(() => undefined);
  assert.equal((await waiting).code, undefined, "an arrival goes on as soon as a session is closed");
});
