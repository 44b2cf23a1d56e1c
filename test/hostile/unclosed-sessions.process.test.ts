/** A host that keeps sessions from being closed: what made room for others does not gather without end. */
import assert from "node:assert/strict";
import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { deployQuickstart } from "../gateway/deployment.ts";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { eventually } from "../gateway/principals.ts";
import { startRecordsServer } from "../servers/records-server.ts";
import { startObservedHost, type ObservedHost } from "./observed-host.ts";
import { readStored, recordsIn } from "./stored-records.ts";

const MAX = 2;

/** An observed host whose principals may have so many sessions, with its enclave. */
async function started(t: TestContext, max: number): Promise<ObservedHost> {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-unclosed-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const records = await startRecordsServer();
  t.after(() => records.close());
  const config = await deployQuickstart(join(folder, "deployment"), {
    everythingPort: 1,
    recordsPort: records.port,
    recordsFingerprint: records.fingerprint,
  });
  await appendFile(config, `enclave:\n  max_sessions_per_principal: ${max}\n`);
  const host = await startObservedHost(config, {
    CMCP_DEV_MODE: "1",
    CMCP_BEARER_TOKEN: "unclosed-test-token-unclosed-test-1",
  });
  t.after(() => host.close());
  await host.startEnclave();
  return host;
}

test("sessions that made room and cannot be closed are bounded, and closed once they can be", async (t) => {
  const host = await started(t, MAX);
  const initialize = {
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } },
  };
  const open = async (): Promise<{ handle: string | undefined; code: unknown }> => {
    const { headers, body } = await host.request("POST", "/mcp", initialize);
    return { handle: headers["mcp-session-id"], code: (JSON.parse(body) as RpcReply).error?.data?.error_code };
  };
  const use = async (handle = ""): Promise<void> => {
    const call = {
      jsonrpc: "2.0",
      id: 2,
      method: "tools/call",
      params: { name: "send_message", arguments: { to: "a", text: "x" } },
    };
    const { status } = await host.request("POST", "/mcp", call, {
      "mcp-session-id": handle,
      "mcp-protocol-version": "2025-11-25",
    });
    assert.equal(status, 200);
  };
  const evicted = async (): Promise<number> =>
    (JSON.parse((await host.request("GET", "/v1/status")).body) as { sessions: { evicted: number } }).sessions.evicted;

  host.observe((point) => {
    if (point === "claim received") throw new Error("the host keeps the claim out of its store");
  });
  for (let session = 0; session < 2 * MAX; session += 1) await use((await open()).handle);
  assert.equal(await evicted(), MAX);
  const labelled = async (): Promise<unknown> => {
    const call = {
      jsonrpc: "2.0",
      id: 3,
      method: "tools/call",
      params: { name: "send_message", arguments: { to: "a", text: "x" }, _cmcp: { session_id: "new" } },
    };
    return (JSON.parse((await host.request("POST", "/mcp", call)).body) as RpcReply).error?.data?.error_code;
  };
  assert.deepEqual(await Promise.all([open(), labelled()]), [
    { handle: undefined, code: "SESSION_LIMIT_REACHED" },
    "SESSION_LIMIT_REACHED",
  ]);
  assert.equal(await evicted(), MAX);

  const waiting = open();
  host.observe(() => undefined);
  assert.equal((await waiting).code, undefined, "an arrival goes on as soon as a session is closed");
  await eventually("every evicted session is closed", async () => (await evicted()) === 0);
  const records = (await recordsIn(host.store, { kind: "claim" })).map(readStored);
  const numbers = records.flatMap((record) => (record.kind === "claim" ? [record.body.sequence_number] : []));
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => index + 1),
    "a claim that was stored too late to be answered keeps its number",
  );
});

test("a session that could not be closed is closed once the store is back, and its principal is told to retry until then", async (t) => {
  const host = await started(t, 8);
  const initialize = {
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } },
  };
  const call = async (
    context: { readonly label?: string; readonly handle?: string } = {},
  ): Promise<{ status: number; body: RpcReply }> => {
    const params = {
      name: "send_message",
      arguments: { to: "a", text: "x" },
      ...(context.label === undefined ? {} : { _cmcp: { session_id: context.label } }),
    };
    const { status, body } = await host.request(
      "POST",
      "/mcp",
      { jsonrpc: "2.0", id: 2, method: "tools/call", params },
      context.handle === undefined ? {} : { "mcp-session-id": context.handle },
    );
    return { status, body: JSON.parse(body) as RpcReply };
  };
  const told = async (answer: Promise<{ status: number; body: RpcReply }>): Promise<unknown[]> => {
    const { status, body } = await answer;
    return [status, body.error?.data?.error_code];
  };
  const retry = [503, "AUDIT_STORE_UNAVAILABLE"];

  const { session_id: session } = receiptOf((await call()).body);
  const { "mcp-session-id": handle = "" } = (await host.request("POST", "/mcp", initialize)).headers;
  const { session_id: opened } = receiptOf((await call({ handle })).body);

  let down = true;
  host.observe((point) => {
    if (down && point.endsWith("received")) throw new Error("the host's disk is full");
  });
  const [closed, ended, begun] = await Promise.all([
    host.request("POST", `/sessions/${session}/close`),
    host.request("DELETE", "/mcp", undefined, { "mcp-session-id": handle }),
    told(call({ label: "begun" })),
  ]);
  assert.deepEqual([closed.status, ended.status, begun], [503, 503, retry]);
  assert.match(closed.body, /AUDIT_STORE_UNAVAILABLE/);
  assert.deepEqual(await told(call()), retry, "a call without a handle");
  const again = await host.request("POST", `/sessions/${session}/close`);
  assert.deepEqual(
    [again.status, /AUDIT_STORE_UNAVAILABLE/.test(again.body)],
    [503, true],
    "closing again says the same",
  );
  const listed = await host.request("POST", "/mcp", { jsonrpc: "2.0", id: 3, method: "tools/list", params: {} });
  assert.deepEqual([listed.status, /AUDIT_STORE_UNAVAILABLE/.test(listed.body)], [503, true]);
  assert.equal(
    (await host.request("GET", `/audit/export?session_id=${session}`)).status,
    503,
    "what the store lacks may only be late",
  );

  down = false;
  for (const label of [undefined, "begun"]) {
    await eventually("the principal works again", async () => {
      const { status, body } = await call(label === undefined ? {} : { label });
      if (status === 200) assert.notEqual(receiptOf(body).session_id, session);
      else assert.deepEqual([status, body.error?.data?.error_code], retry);
      return status === 200;
    });
  }
  for (const id of [session, opened]) {
    await eventually("the session is closed", async () => {
      const { entries } = JSON.parse((await host.request("GET", `/audit/export?session_id=${id}`)).body) as {
        entries: { entry_type: string }[];
      };
      return entries.at(-1)?.entry_type === "session_end";
    });
    assert.equal((await host.request("POST", `/sessions/${id}/close`)).status, 200);
  }
});
