import assert from "node:assert/strict";
import { createHash, createPublicKey, verify } from "node:crypto";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import {
  Client as ModernSdkClient,
  StreamableHTTPClientTransport as ModernSdkTransport,
} from "@modelcontextprotocol/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { RECEIPT_META_KEY, auditBundleSchema, receiptSchema } from "@cmcp/audit/schema";
import { claimSchema, traceRecordSchema, traceRecordSigningInput } from "@cmcp/claim/schema";
import { receiptOf, startFixture, type Fixture } from "../gateway/fixture.ts";
import { IN_MACHINE } from "../gateway/launcher.ts";
import { refusedCode } from "../gateway/refused-call.ts";

describe("calls through host proxy and enclave process", () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await startFixture();
  });
  after(async () => {
    await fixture.close();
  });

  // What the machine is kept apart from is the host's word; the enclave in it sees that it has no network.
  const isolation = (): string =>
    fixture.gateway.isolation === "machine" ? "network-namespace" : fixture.gateway.isolation;
  const exported = async (session: string) =>
    auditBundleSchema.parse(await (await fixture.request(`/audit/export?session_id=${session}`)).json());

  test("the official v1 client initializes, lists approved tools only, and calls", async () => {
    const client = new Client({ name: "v1", version: "1" });
    const transport = new StreamableHTTPClientTransport(new URL(fixture.gateway.mcp), {
      requestInit: { headers: { authorization: `Bearer ${fixture.token}` } },
    });
    await client.connect(transport);
    const names = (await client.listTools()).tools.map((tool) => tool.name);
    assert.ok(names.includes("echo") && names.includes("get_patient_record"));
    assert.ok(!names.includes("get-env"), "a tool policy denies whatever its arguments is not shown");
    assert.ok(
      !names.includes("simulate-research-query"),
      "a tool of the server that is not in the catalog is not shown",
    );
    const result = await client.callTool({ name: "echo", arguments: { message: "hi" } });
    assert.deepEqual(result.content, [{ type: "text", text: "Echo: hi" }]);
    assert.equal(receiptSchema.parse(result._meta?.[RECEIPT_META_KEY]).decision, "allow");
    const denied = await client.callTool({ name: "get-env", arguments: {} });
    assert.deepEqual([denied.isError, refusedCode(denied)], [true, "POLICY_DENY"]);
    assert.equal(receiptSchema.parse(denied._meta?.[RECEIPT_META_KEY]).decision, "deny");
    await transport.terminateSession();
    await client.close();
  });

  test("the official v2 client works in the legacy era", async () => {
    const client = new ModernSdkClient({ name: "v2", version: "1" });
    await client.connect(
      new ModernSdkTransport(new URL(fixture.gateway.mcp), {
        requestInit: { headers: { authorization: `Bearer ${fixture.token}` } },
      }),
    );
    const result = await client.callTool({ name: "get-sum", arguments: { a: 2, b: 3 } });
    assert.match(JSON.stringify(result.content), /5/);
    await client.close();
  });

  for (const version of ["2025-11-25", "2025-06-18", "2025-03-26"]) {
    test(`legacy version ${version} negotiates and calls`, async () => {
      const opened = await fixture.post({
        jsonrpc: "2.0",
        id: 1,
        method: "initialize",
        params: { protocolVersion: version, capabilities: {}, clientInfo: { name: "t", version: "1" } },
      });
      assert.equal(opened.status, 200);
      assert.equal(opened.body.result?.["protocolVersion"], version);
      const handle = opened.headers.get("mcp-session-id") ?? "";
      assert.match(handle, /^[\x21-\x7e]{22,}$/);
      const headers = { "mcp-session-id": handle, "mcp-protocol-version": version };
      assert.equal((await fixture.post({ jsonrpc: "2.0", method: "notifications/initialized" }, headers)).status, 202);
      assert.deepEqual((await fixture.post({ jsonrpc: "2.0", id: 2, method: "ping" }, headers)).body.result, {});
      const call = await fixture.post(
        { jsonrpc: "2.0", id: 3, method: "tools/call", params: { name: "echo", arguments: { message: version } } },
        headers,
      );
      assert.match(JSON.stringify(call.body.result), new RegExp(version));
      const denied = await fixture.post(
        { jsonrpc: "2.0", id: 4, method: "tools/call", params: { name: "get-env", arguments: {} } },
        headers,
      );
      assert.equal(denied.status, 200);
      assert.equal(refusedCode(denied.body.result), "POLICY_DENY", "a refused call in a session is a result");
      assert.equal((await fixture.request("/mcp", { method: "DELETE", headers })).status, 204);
      assert.equal((await fixture.post({ jsonrpc: "2.0", id: 5, method: "ping" }, headers)).status, 404);
    });
  }

  test("a plain single POST works and is denied with HTTP 403 and no rule name", async () => {
    const allowed = await fixture.call("echo", { message: "plain" }, "plain-session");
    assert.equal(allowed.status, 200);
    const denied = await fixture.call("get-env", {}, "plain-session");
    assert.equal(denied.status, 403);
    assert.equal(denied.body.error?.code, -32000);
    assert.equal(denied.body.error?.data?.error_code, "POLICY_DENY");
    assert.ok(denied.body.error?.data?.call_id);
    assert.doesNotMatch(
      JSON.stringify({ ...denied.body.error, data: { ...denied.body.error.data, receipt: undefined } }),
      /deny-get-env|quickstart|\.cedar/,
    );
  });

  test("sensitive data in the session closes the way out, and the denied call never reaches the server", async () => {
    assert.equal((await fixture.call("send_message", { to: "a", text: "before" }, "flow")).status, 200);
    const record = await fixture.call("get_patient_record", { patient_id: "P-1001" }, "flow");
    assert.equal(record.status, 200);
    const text = JSON.stringify(record.body.result);
    assert.doesNotMatch(text, /078-05-1120/, "the redacted field is gone from structured and text content");
    assert.match(text, /Ada Example/);
    const sent = fixture.records.calls.length;
    const denied = await fixture.call("send_message", { to: "a", text: "after" }, "flow");
    assert.equal(denied.status, 403);
    assert.equal(denied.body.error?.data?.error_code, "SESSION_SENSITIVITY_POLICY_DENY");
    assert.equal(fixture.records.calls.length, sent);
    const { entries } = await exported(receiptOf(denied.body).session_id);
    const calls = entries.filter((entry) => entry.entry_type === "tool_call");
    assert.deepEqual(
      calls.map((entry) => entry.policy_decision),
      ["allow", "redact", "deny"],
    );
    assert.deepEqual(
      calls.map((entry) => entry.evidence_class),
      ["tls-pinned", "tls-pinned", "tls-pinned"],
    );
    assert.equal(calls[1]?.session_sensitivity_after, "hipaa_phi");
    assert.ok(
      entries.every((entry) => entry.entry_type === "session_end" || entry.detail?.["policy_hash"] !== undefined),
    );
  });

  test("a closed session has one claim that names what was decided; closing again gives the same", async () => {
    const first = await fixture.call("echo", { message: "x" }, "to-close");
    const session = receiptOf(first.body).session_id;
    await fixture.call("no-such-tool", {}, "to-close");
    const closed = await fixture.request(`/sessions/${session}/close`, { method: "POST" });
    assert.equal(closed.status, 200);
    const claim = claimSchema.parse(await closed.json());
    assert.deepEqual(
      claim.trace.tool_transcript.entries.map((entry) => [entry.tool_name, entry.decision]),
      [
        ["echo", "allow"],
        ["(unknown)", "deny"],
      ],
    );
    assert.equal(claim.gateway.call_summary.tool_calls_total, 2);
    assert.match(claim.trace.runtime.firmware_version ?? "", new RegExp(`isolation=${isolation()}`));
    assert.deepEqual(
      claimSchema.parse(await (await fixture.request(`/sessions/${session}/close`, { method: "POST" })).json()),
      claim,
    );
    assert.deepEqual(
      claimSchema.parse(await (await fixture.request(`/sessions/${session}/trace-claim`)).json()),
      claim,
    );
    const again = await fixture.call("echo", { message: "y" }, "to-close");
    assert.notEqual(receiptOf(again.body).session_id, session, "a label used again opens a new session");
  });

  test("a closed session's Trust Record says what its claim says, names the script that runs, and is signed by the claim's key", async () => {
    const session = receiptOf((await fixture.call("echo", { message: "x" }, "to-record")).body).session_id;
    const path = `/sessions/${session}/trace-record`;
    const open = traceRecordSchema.parse(await (await fixture.request(path)).json());
    assert.equal(open.tool_transcript.call_count, 1, "of an open session, what is recorded so far");
    const claim = claimSchema.parse(
      await (await fixture.request(`/sessions/${session}/close`, { method: "POST" })).json(),
    );
    const record = traceRecordSchema.parse(await (await fixture.request(path)).json());
    assert.deepEqual(record.runtime, claim.trace.runtime);
    assert.deepEqual(record.policy, claim.trace.policy);
    assert.deepEqual(record.tool_transcript, { hash: claim.trace.tool_transcript.hash, call_count: 1 });
    const script = await readFile(new URL("../../packages/cli/dist/enclave/enclave.cjs", import.meta.url));
    assert.equal(record.build_provenance.digest, `sha256:${createHash("sha256").update(script).digest("hex")}`);
    const key = createPublicKey({ format: "jwk", key: claim.trace.cnf.jwk });
    const signature = Buffer.from(record.signature, "base64url");
    assert.ok(verify(null, traceRecordSigningInput(record), key, signature));
    assert.ok(!verify(null, traceRecordSigningInput({ ...record, data_class: "internal" }), key, signature));
    assert.equal((await fixture.request("/sessions/no-such-session/trace-record")).status, 404);
  });

  test("status says what runs and where", async () => {
    const status = (await (await fixture.request("/v1/status")).json()) as Record<string, unknown>;
    assert.equal(status["phase"], "Serving");
    assert.equal(status["isolation"], isolation());
    assert.equal(status["launch_digest"], fixture.gateway.launch_digest);
    assert.equal(status["assurance"], IN_MACHINE ? "host-trusted" : "functional-only");
  });

  test("GET /attestation binds the nonce and refuses one out of bounds", async () => {
    const reply = (await (await fixture.request("/attestation?nonce=abcdefghijklmnop")).json()) as {
      binding: { nonce: string };
      evidence: { platform: string };
    };
    assert.equal(reply.binding.nonce, "abcdefghijklmnop");
    assert.equal(reply.evidence.platform, IN_MACHINE ? "tpm2" : "software-only");
    assert.equal((await fixture.request("/attestation?nonce=short")).status, 400);
  });

  test("a catalog exception is refused by name until it exists", async () => {
    const response = await fixture.request("/catalog/exception", { method: "POST" });
    assert.equal(response.status, 501);
    assert.equal(((await response.json()) as { error: { code: string } }).error.code, "NOT_SUPPORTED");
  });
});
