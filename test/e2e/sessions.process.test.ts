/** Sessions are bounded, and nothing an agent or the host does makes a principal forget what it has seen. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import type { AuditEntry } from "@cmcp/audit";
import type { Claim } from "@cmcp/claim";
import { deployQuickstart } from "../gateway/deployment.ts";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { IN_MACHINE } from "../gateway/launcher.ts";
import {
  eventually,
  newToken,
  startDeployment,
  tokenLine,
  type Agent,
  type Deployment,
} from "../gateway/principals.ts";
import { startGateway } from "../gateway/gateway.ts";
import { errorCodeOf } from "../gateway/refused-call.ts";
import { startObservedHost, type ObservedHost, type Reply } from "../hostile/observed-host.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";

const MESSAGE = { to: "ops@example.org", text: "hello" };
const PATIENT = { patient_id: "P-1001" };
/** Longer than a test takes from one call of a session to the next. */
const IDLE_SECONDS = IN_MACHINE ? 3 : 1;

async function entriesOf(agent: Agent, session: string): Promise<AuditEntry[]> {
  const answer = await agent.request(`/audit/export?session_id=${session}`);
  return answer.status === 200 ? (JSON.parse(answer.text) as { entries: AuditEntry[] }).entries : [];
}

const isClosed = async (agent: Agent, session: string): Promise<boolean> =>
  (await entriesOf(agent, session)).at(-1)?.entry_type === "session_end";

describe("what a principal has seen", () => {
  let deployment: Deployment;
  let alice: Agent;
  let bob: Agent;
  before(async () => {
    deployment = await startDeployment(
      { alice: null, bob: null },
      [`session_idle_seconds: ${IDLE_SECONDS}`, "max_sessions_per_principal: 3"],
      startGateway,
    );
    alice = deployment.agent(deployment.tokenOf("alice"));
    bob = deployment.agent(deployment.tokenOf("bob"));
  });
  after(() => deployment.close());

  const see = async (label: string): Promise<string> => {
    const seen = await alice.call("get_patient_record", PATIENT, { label });
    assert.equal(seen.status, 200);
    return receiptOf(seen.body).session_id;
  };
  const isStillHeldAgainst = async (how: Parameters<Agent["call"]>[2], session?: string): Promise<void> => {
    const reached = deployment.records.calls.length;
    const refused = await alice.call("send_message", MESSAGE, how);
    const { session_id } = receiptOf(refused.body);
    if (session !== undefined) assert.notEqual(session_id, session, "it is another session");
    assert.equal(errorCodeOf(refused.body), "SESSION_SENSITIVITY_POLICY_DENY");
    assert.equal(deployment.records.calls.length, reached, "nothing left");
    assert.equal((await bob.call("send_message", MESSAGE)).status, 200, "whoever saw nothing is unaffected");
  };

  test("is nothing at first", async () => {
    assert.equal((await alice.call("send_message", MESSAGE)).status, 200);
  });

  test("goes with it into a session of a new label, and into the one without", async () => {
    const session = await see("first");
    await isStillHeldAgainst({ label: "second" }, session);
    await isStillHeldAgainst({}, session);
  });

  test("goes with it into a session of a new handle", async () => {
    await isStillHeldAgainst({ handle: await alice.open() }, await see("before-handle"));
  });

  test("outlives the session's expiry, which closes it with its claim", async () => {
    const session = await see("idle");
    await eventually("the idle session is closed", () => isClosed(alice, session));
    const claim = JSON.parse((await alice.request(`/sessions/${session}/trace-claim`)).text) as Claim;
    assert.equal(claim.gateway.call_summary.session_max_sensitivity, "hipaa_phi");
    await isStillHeldAgainst({ label: "idle" }, session);
  });

  test("outlives the session's eviction, which closes it with its claim", async () => {
    const session = await see("evicted");
    for (let n = 0; n < 3; n += 1) await alice.open();
    await eventually("the evicted session is closed", () => isClosed(alice, session));
    await isStillHeldAgainst({ label: "evicted" }, session);
  });

  test("outlives closing the session", async () => {
    const session = await see("closed");
    assert.equal((await alice.request(`/sessions/${session}/close`, { method: "POST" })).status, 200);
    await isStillHeldAgainst({ label: "closed" }, session);
  });

  test("outlives ending the MCP session it was seen in", async () => {
    const handle = await alice.open();
    const session = receiptOf((await alice.call("get_patient_record", PATIENT, { handle })).body).session_id;
    assert.equal(
      (await alice.request("/mcp", { method: "DELETE", headers: { "mcp-session-id": handle } })).status,
      204,
    );
    await isStillHeldAgainst({ handle: await alice.open() }, session);
  });

  test("goes with it to a new token, because it belongs to the principal", async () => {
    await see("old-token");
    const fresh = newToken();
    await deployment.writeTokens(tokenLine("bob", deployment.tokenOf("bob")) + tokenLine("alice", fresh));
    process.kill(deployment.gateway.pid, "SIGHUP");
    const renewed = deployment.agent(fresh);
    await eventually("the new token is known", async () => (await renewed.request("/v1/status")).status === 200);
    assert.equal((await alice.request("/v1/status")).status, 401, "the old one is not");
    alice = renewed;
    await isStillHeldAgainst({ label: "new-token" });
  });

  test("outlives the enclave's death", async () => {
    const session = await see("killed");
    await deployment.killEnclave();
    await isStillHeldAgainst({ label: "killed" }, session);
  });

  test("outlives several deaths in a row, without being seen again", async () => {
    await deployment.killEnclave();
    await deployment.killEnclave();
    await isStillHeldAgainst({ label: "killed-twice" });
  });

  test("outlives an orderly restart of everything", async () => {
    const session = await see("restarted");
    await deployment.restart();
    await isStillHeldAgainst({ label: "restarted" }, session);
  });
});

describe("a session that is being closed", () => {
  const TOKEN = newToken();
  let records: RecordsServer;
  let host: ObservedHost;
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-closing-"));
    records = await startRecordsServer();
    host = await startObservedHost(
      await deployQuickstart(folder, {
        everythingPort: 1,
        recordsPort: records.port,
        recordsFingerprint: records.fingerprint,
      }),
      { CMCP_DEV_MODE: "1", CMCP_BEARER_TOKEN: TOKEN },
    );
    await host.startEnclave();
  });
  after(async () => {
    await host?.close();
    await records?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const message = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "send_message", arguments: MESSAGE } };
  const post = (headers: Record<string, string> = {}): Promise<Reply> => host.request("POST", "/mcp", message, headers);
  /**
   * What is answered to a request that reaches the enclave while it closes a session: the host has its last entry,
   * and not yet its claim.
   */
  const whileClosing = async (session: string, request: () => Promise<Reply>): Promise<Reply> => {
    const answers: Promise<Reply>[] = [];
    host.observe((point) => {
      if (point === "entry stored" && answers.length === 0) answers.push(request());
    });
    assert.equal((await host.request("POST", `/sessions/${session}/close`)).status, 200);
    host.observe(() => undefined);
    const [answer] = answers;
    assert.ok(answer !== undefined, "the closing was seen");
    return await answer;
  };

  test("is followed by another for a request that names none", async () => {
    const before = receiptOf(JSON.parse((await post()).body) as RpcReply).session_id;
    const answer = await whileClosing(before, post);
    assert.equal(answer.status, 200, answer.body);
    assert.notEqual(receiptOf(JSON.parse(answer.body) as RpcReply).session_id, before);
  });

  test("is not found by its handle any more", async () => {
    const { headers } = await host.request("POST", "/mcp", {
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "agent", version: "1" } },
    });
    const handle = { "mcp-session-id": headers["mcp-session-id"] ?? assert.fail("a handle") };
    const session = receiptOf(JSON.parse((await post(handle)).body) as RpcReply).session_id;
    const answer = await whileClosing(session, () => post(handle));
    assert.deepEqual(
      [answer.status, (JSON.parse(answer.body) as RpcReply).error?.data?.error_code],
      [404, "MCP_SESSION_UNKNOWN"],
    );
  });
});

describe("ten thousand sessions of one principal", () => {
  let deployment: Deployment;
  before(async () => {
    deployment = await startDeployment({ alice: null, bob: null }, [], startGateway);
  });
  after(() => deployment.close());

  test("are bounded, and leave another principal's alone", async () => {
    const [alice, bob] = [deployment.agent(deployment.tokenOf("alice")), deployment.agent(deployment.tokenOf("bob"))];
    const handle = await bob.open();
    const { session_id: session } = receiptOf((await bob.call("send_message", MESSAGE, { handle })).body);
    const first = await alice.open();
    const flood = async (): Promise<void> => {
      for (let n = 0; n < 10_000 / 16; n += 1) await alice.open();
    };
    const watch = async (): Promise<void> => {
      for (let n = 0; n < 100; n += 1)
        assert.equal(receiptOf((await bob.call("send_message", MESSAGE, { handle })).body).session_id, session);
    };
    await Promise.all([watch(), ...Array.from({ length: 16 }, flood)]);
    const { sessions } = JSON.parse((await bob.request("/v1/status")).text) as { sessions: { open: number } };
    assert.equal(sessions.open, 64 + 1, "the bound of one principal, and the other's one");
    const stale = await alice.post({ jsonrpc: "2.0", id: 1, method: "tools/list" }, { "mcp-session-id": first });
    assert.equal(stale.status, 404, "the oldest made room");
    assert.equal(
      (await alice.call("send_message", MESSAGE, { handle: await alice.open() })).status,
      200,
      "the newest works",
    );
  });
});
