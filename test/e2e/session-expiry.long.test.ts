/** Sessions nobody uses end by themselves; what their principal has seen stays for as long as the configuration says, and no longer. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { AuditEntry } from "@cmcp/audit/schema";
import { receiptOf } from "../gateway/fixture.ts";
import { eventually, startDeployment, type Agent, type Deployment } from "../gateway/principals.ts";

const MESSAGE = { to: "ops@example.org", text: "hello" };
const PATIENT = { patient_id: "P-1001" };

async function hasEnded(agent: Agent, session: string): Promise<boolean> {
  const exported = await agent.request(`/audit/export?session_id=${session}`);
  return (JSON.parse(exported.text) as { entries: AuditEntry[] }).entries.at(-1)?.entry_type === "session_end";
}

describe("a session that nobody uses", () => {
  let deployment: Deployment;
  let alice: Agent;
  let bob: Agent;
  before(async () => {
    deployment = await startDeployment({ alice: null, bob: null }, ["session_idle_seconds: 1"]);
    alice = deployment.agent(deployment.tokenOf("alice"));
    bob = deployment.agent(deployment.tokenOf("bob"));
  });
  after(() => deployment.close());

  test("ends; its handle is then like one that never was, and a new one works", async () => {
    const handle = await alice.open();
    const session = receiptOf((await alice.call("send_message", MESSAGE, { handle })).body).session_id;
    const theirs = await bob.open();
    await eventually("the idle session is closed", () => hasEnded(alice, session));
    const reached = deployment.records.calls.length;
    const requests = [
      { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "send_message", arguments: MESSAGE } },
      { jsonrpc: "2.0", id: 1, method: "tools/list" },
    ];
    for (const request of requests) {
      const [expired, never] = [
        await alice.post(request, { "mcp-session-id": handle }),
        await alice.post(request, { "mcp-session-id": `${handle.slice(0, -1)}_` }),
      ];
      assert.equal(expired.status, 404);
      assert.match(expired.text, /MCP_SESSION_UNKNOWN/);
      assert.equal(expired.text, never.text);
    }
    assert.equal(
      (await alice.request("/mcp", { method: "DELETE", headers: { "mcp-session-id": handle } })).status,
      404,
    );
    assert.equal(deployment.records.calls.length, reached, "nothing left");
    assert.equal((await alice.call("send_message", MESSAGE, { handle: await alice.open() })).status, 200);
    await eventually(
      "one that never recorded anything is forgotten too",
      async () =>
        (await bob.post({ jsonrpc: "2.0", id: 1, method: "ping" }, { "mcp-session-id": theirs })).status === 404,
    );
  });

  test("leaves what was seen in it to its principal, however often expired sessions are looked for", async () => {
    const session = receiptOf((await alice.call("get_patient_record", PATIENT, { label: "seen" })).body).session_id;
    await eventually("the idle session is closed", () => hasEnded(alice, session));
    // Two more rounds of closing, seen by another principal's sessions ending.
    for (const label of ["round-1", "round-2"]) {
      const round = receiptOf((await bob.call("send_message", MESSAGE, { label })).body).session_id;
      await eventually("a later session is closed", () => hasEnded(bob, round));
    }
    assert.equal(
      (await alice.call("send_message", MESSAGE, { label: "seen" })).body.error?.data?.error_code,
      "SESSION_SENSITIVITY_POLICY_DENY",
    );
  });
});

describe("what a principal has seen", () => {
  let deployment: Deployment;
  before(async () => {
    deployment = await startDeployment({ alice: null, bob: null }, [
      "session_idle_seconds: 1",
      "sensitivity_floor_seconds: 2",
    ]);
  });
  after(() => deployment.close());

  test("is forgotten when the configured time after its last session is over, and not for good", async () => {
    const [alice, bob] = [deployment.agent(deployment.tokenOf("alice")), deployment.agent(deployment.tokenOf("bob"))];
    const session = receiptOf((await alice.call("get_patient_record", PATIENT, { label: "seen" })).body).session_id;
    await eventually("its session is closed", () => hasEnded(alice, session));
    const ended = performance.now();
    await eventually("the floor's time is over", async () => {
      // A request of alice's would keep the floor, so somebody else passes the time.
      await bob.call("send_message", MESSAGE);
      return performance.now() - ended > 5_000;
    });
    assert.equal((await alice.call("send_message", MESSAGE, { label: "later" })).status, 200);
    await alice.call("get_patient_record", PATIENT, { label: "later" });
    assert.equal(
      (await alice.call("send_message", MESSAGE, { label: "later" })).body.error?.data?.error_code,
      "SESSION_SENSITIVITY_POLICY_DENY",
    );
  });
});
