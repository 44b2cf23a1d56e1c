/** Calls with idempotency keys through a real host, in both eras: whoever repeats a request, there is one call. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { anyReceiptSchema, receiptSchema, RECEIPT_META_KEY } from "@cmcp/audit/schema";
import { formatIdempotencyKey, IDEMPOTENCY_META_KEY } from "@cmcp/boundary";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { startDeployment, type Agent, type Deployment } from "../gateway/principals.ts";

interface CallAnswer {
  readonly state: string;
  readonly may_still_run?: boolean;
  readonly decision?: string;
  readonly outcome?: string;
  readonly call_id?: string;
  readonly receipt?: unknown;
}

describe("a call with an idempotency key", () => {
  let deployment: Deployment;
  let alice: Agent;
  let bob: Agent;
  before(async () => {
    deployment = await startDeployment({ alice: null, bob: null });
    alice = deployment.agent(deployment.tokenOf("alice"));
    bob = deployment.agent(deployment.tokenOf("bob"));
  });
  after(async () => {
    await deployment.close();
  });

  const newKey = async (): Promise<string> => {
    const { log } = JSON.parse((await alice.request("/v1/status")).text) as { log: { origin: string; size: number } };
    return formatIdempotencyKey(log.size, randomBytes(16));
  };
  const message = (key: string, to: string, label = "work"): object => ({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: {
      name: "send_message",
      arguments: { to, text: "x" },
      _meta: { [IDEMPOTENCY_META_KEY]: key },
      _cmcp: { session_id: label },
    },
  });
  const reached = (to: string): number =>
    deployment.records.calls.filter((call) => (call.arguments as { to?: string }).to === to).length;
  const ask = async (agent: Agent, key: string): Promise<CallAnswer> => {
    const { status, text } = await agent.request(`/calls?idempotency_key=${encodeURIComponent(key)}`);
    assert.equal(status, 200, text);
    return JSON.parse(text) as CallAnswer;
  };
  const codeOf = (text: string): string | undefined => (JSON.parse(text) as RpcReply).error?.data?.error_code;

  test("a host that repeats a plain request makes no second call, at one time or later", async () => {
    const key = await newKey();
    const body = message(key, "replayed");
    const together = await Promise.all(Array.from({ length: 8 }, async () => await alice.post(body)));
    const results = new Set(together.filter(({ status }) => status === 200).map(({ text }) => text));
    assert.equal(results.size, 1, "whoever is answered gets the answer of the one call");
    for (const { status, text } of together)
      if (status !== 200) assert.deepEqual([status, codeOf(text)], [409, "IDEMPOTENCY_RUNNING"]);
    const [result] = results;
    for (let again = 0; again < 3; again += 1) assert.equal((await alice.post(body)).text, result);
    assert.equal(reached("replayed"), 1);
    const conflict = await alice.post(message(key, "another"));
    assert.deepEqual([conflict.status, codeOf(conflict.text)], [422, "IDEMPOTENCY_CONFLICT"]);
    assert.equal(reached("another"), 0);
  });

  test("outside of its session a repeated request is answered with the outcome and the receipt, without the result", async () => {
    const key = await newKey();
    const first = receiptOf(JSON.parse((await alice.post(message(key, "elsewhere"))).text) as RpcReply);
    const { status, text } = await alice.post(message(key, "elsewhere", "other"));
    assert.deepEqual([status, codeOf(text)], [409, "IDEMPOTENCY_ENDED"]);
    const data = (JSON.parse(text) as RpcReply).error?.data as Record<string, { receipt: unknown } | undefined>;
    assert.equal(receiptSchema.parse(data["cmcp.gateway/call"]?.receipt).entry_hash, first.entry_hash);
    assert.ok(!text.includes("sent to elsewhere"));
    assert.equal(reached("elsewhere"), 1);
  });

  test("two principals with one key are apart", async () => {
    const key = await newKey();
    assert.equal((await alice.post(message(key, "of alice"))).status, 200);
    assert.deepEqual(await ask(bob, key), { state: "unseen", may_still_run: true });
    assert.equal((await bob.post(message(key, "of bob"))).status, 200);
    assert.deepEqual([reached("of alice"), reached("of bob")], [1, 1]);
    assert.notEqual((await ask(alice, key)).call_id, (await ask(bob, key)).call_id);
  });

  test("GET /calls answers from the record: unseen, or how it ended with a receipt, also of a refused call", async () => {
    const key = await newKey();
    assert.deepEqual(await ask(alice, key), { state: "unseen", may_still_run: true });
    const sent = receiptOf(JSON.parse((await alice.post(message(key, "asked for"))).text) as RpcReply);
    const { receipt, ...answer } = await ask(alice, key);
    assert.deepEqual(answer, {
      state: "ended",
      call_id: sent.call_id,
      session_id: sent.session_id,
      decision: "allow",
      outcome: "delivered",
      error_code: null,
    });
    assert.equal(receiptSchema.parse(receipt).log.index, sent.log.index);
    const refused = await newKey();
    const params = { name: "no_such_tool", arguments: {}, _meta: { [IDEMPOTENCY_META_KEY]: refused } };
    await alice.post({ jsonrpc: "2.0", id: 1, method: "tools/call", params });
    assert.equal((await ask(alice, refused)).decision, "deny");
  });

  test("what is no key, and what names more records than there are, is refused before anything runs", async () => {
    for (const key of ["", "1", `01.${"A".repeat(22)}`, `1.${"A".repeat(44)}`]) {
      const { status, text } = await alice.post(message(key, "malformed"));
      assert.deepEqual([status, codeOf(text)], [400, "MCP_INVALID_REQUEST"], key);
      assert.equal((await alice.request(`/calls?idempotency_key=${key}`)).status, 400, key);
    }
    const ahead = formatIdempotencyKey(2 ** 47, randomBytes(16));
    const { status, text } = await alice.post(message(ahead, "malformed"));
    assert.deepEqual([status, codeOf(text)], [412, "IDEMPOTENCY_KEY_REFUSED"]);
    assert.equal((await alice.request(`/calls?idempotency_key=${ahead}`)).status, 412);
    assert.equal((await alice.request("/calls")).status, 400);
    assert.equal((await alice.request("/calls", { method: "POST" })).status, 405);
    assert.equal((await fetch(`${deployment.gateway.url}/calls?idempotency_key=${ahead}`)).status, 401);
    assert.equal(reached("malformed"), 0);
  });

  test("official clients of both eras give a key, and their repeated call is not run again", async () => {
    for (const mode of ["legacy", "auto"] as const) {
      const client = new Client({ name: "agent", version: "1" }, { versionNegotiation: { mode } });
      const headers = { authorization: `Bearer ${deployment.tokenOf("alice")}` };
      const url = new URL(deployment.gateway.mcp);
      await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }));
      const call = {
        name: "send_message",
        arguments: { to: mode, text: "x" },
        _meta: { [IDEMPOTENCY_META_KEY]: await newKey() },
      };
      const first = await client.callTool(call);
      const again = await client.callTool(call);
      assert.deepEqual(again.content, first.content);
      assert.deepEqual(again._meta?.[RECEIPT_META_KEY], first._meta?.[RECEIPT_META_KEY]);
      assert.equal(reached(mode), 1);
      await client.close();
    }
  });

  test("a key from before a restart is refused, and what became of it is answered", async () => {
    const [used, unused] = [await newKey(), await newKey()];
    const sent = receiptOf(JSON.parse((await alice.post(message(used, "before"))).text) as RpcReply);
    await deployment.restart();
    for (const key of [used, unused]) {
      const { status, text } = await alice.post(message(key, "before"));
      assert.deepEqual([status, codeOf(text)], [412, "IDEMPOTENCY_KEY_REFUSED"]);
    }
    assert.equal(reached("before"), 1);
    const { receipt, ...answer } = await ask(alice, used);
    assert.deepEqual([answer.state, answer.decision, answer.call_id], ["ended", "allow", sent.call_id]);
    assert.equal(anyReceiptSchema.parse(receipt).entry_hash, sent.entry_hash);
    assert.deepEqual(await ask(alice, unused), { state: "unseen", may_still_run: false });
    assert.equal((await alice.post(message(await newKey(), "after"))).status, 200);
    assert.equal(reached("after"), 1);
  });
});
