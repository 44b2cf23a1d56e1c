import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { startDeployment, type Agent, type Deployment } from "../gateway/principals.ts";

const MESSAGE = { to: "ops@example.org", text: "hello" };

describe("workflows of credentials", () => {
  let deployment: Deployment;
  const agent = (principal: string): Agent => deployment.agent(deployment.tokenOf(principal));
  before(async () => {
    deployment = await startDeployment({
      one: ["claims"],
      several: ["claims", "intake"],
      usual: ["claims", "default"],
    });
  });
  after(() => deployment.close());

  /** The workflow in the entry of this call. */
  const recorded = async (who: Agent, body: RpcReply): Promise<unknown> => {
    const { session_id: session, call_id: call } = receiptOf(body);
    const { text } = await who.request(`/audit/export?session_id=${session}`);
    const { entries } = JSON.parse(text) as { entries: { call_id: string; workflow_id: string }[] };
    return entries.find(({ call_id: id }) => id === call)?.workflow_id;
  };

  test("a call that names no workflow gets no more than one that names it", async () => {
    for (const [principal, workflow] of Object.entries({ one: "claims", usual: "default" })) {
      const who = agent(principal);
      const unnamed = await who.call("send_message", MESSAGE);
      assert.deepEqual([unnamed.status, await recorded(who, unnamed.body)], [200, workflow], principal);
      assert.equal((await who.call("send_message", MESSAGE, { workflow })).status, 200, principal);
    }
    const foreign = await agent("one").call("send_message", MESSAGE, { workflow: "default" });
    assert.equal(foreign.body.error?.data?.error_code, "WORKFLOW_NOT_ALLOWED");
  });

  test("an agent of several workflows is told to name one, and nothing leaves before it does", async () => {
    const reached = deployment.records.calls.length;
    const unnamed = await agent("several").call("send_message", MESSAGE);
    assert.deepEqual([unnamed.status, unnamed.body.error?.data?.error_code], [403, "WORKFLOW_REQUIRED"]);
    assert.equal(receiptOf(unnamed.body).decision, "deny");
    assert.equal(deployment.records.calls.length, reached);
    assert.equal((await agent("several").call("send_message", MESSAGE, { workflow: "intake" })).status, 200);
  });

  test("an agent that must name a workflow lists what any of its workflows allows", async () => {
    const listed = async (principal: string): Promise<unknown> => {
      const answer = await agent(principal).post(
        { jsonrpc: "2.0", id: 1, method: "tools/list", params: {} },
        { "mcp-protocol-version": "2025-11-25" },
      );
      return (JSON.parse(answer.text) as RpcReply).result;
    };
    assert.deepEqual(await listed("several"), await listed("usual"));
  });
});
