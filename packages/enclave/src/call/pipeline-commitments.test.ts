import assert from "node:assert/strict";
import { test } from "node:test";
import { SALTS_META_KEY } from "@cmcp/audit";
import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import { UpstreamRefusal, withGatewayMembers, type AgentRequest, type RpcBody } from "@cmcp/mcp";
import { agentPeer, cedarRequest, policyStub } from "../testing/calls.ts";
import { messagesCommitment, requestCommitment } from "../testing/commitments.ts";
import { FORM, start } from "../testing/pipeline-scene.ts";

test("an answer to no question is neither sent nor hashed", async () => {
  const { run, entries, upstreams, recorded } = await start();
  await run({});
  await run({ input: { responses: { a: { action: "accept" } }, state: null } });
  const [first, second] = upstreams.sent;
  assert.deepEqual(second?.params, first?.params);
  const { method = "", params = {} } = first ?? {};
  for (const { call_id: id, request_payload_hash: hash } of entries())
    assert.equal(hash, requestCommitment(recorded, id ?? "", { method, params }));
});

test("with a sealed answer stands what went on of the agent's answers, where it dropped one", async () => {
  const { run } = await start({ channel: "sealed" });
  const saltsOf = async (input: AgentRequest["input"]): Promise<JsonObject> => {
    const body = await run({ input });
    assert.ok("result" in body && isJsonObject(body.result["_meta"]));
    const salts = body.result["_meta"][SALTS_META_KEY];
    return isJsonObject(salts) ? salts : assert.fail("no salts");
  };
  assert.deepEqual(Object.keys(await saltsOf(null)), ["request", "response"]);
  const dropped = await saltsOf({ responses: { a: { action: "accept" } }, state: null });
  assert.deepEqual(dropped["inputResponses"], {});
});

test("the entry commits to each request to Cedar, in order, and to none where Cedar was not asked", async () => {
  const asked: object[] = [];
  const policy = policyStub(
    (facts) => {
      asked.push(cedarRequest(facts));
      return {};
    },
    { decidesDelivery: true },
  );
  const { run, entries, recorded } = await start({
    policy,
    answer: async (_, peer) => {
      await peer.ask("elicitation/create", FORM);
      return { kind: "complete", result: { content: [] } };
    },
  });
  await run({}, agentPeer().peer);
  await run({ name: "none" });
  const [called, refused] = entries();
  assert.ok(asked.length >= 4, "the call, the question, its delivery and that of the result");
  const commitment = messagesCommitment(recorded, called?.call_id ?? "", "cedar", asked);
  assert.equal(called?.detail?.["cedar_request_commitment"], commitment);
  assert.equal(refused?.detail?.["cedar_request_commitment"], undefined);
});

test("the entry commits to a server's refusal, and to nothing of a server that was not asked", async () => {
  const { run, entries, recorded } = await start({
    answer: () => Promise.reject(new UpstreamRefusal({ code: -32000, message: "no", data: { why: "x" } })),
  });
  await run();
  await run({ name: "none" });
  const [refused, unknown] = entries();
  const said = [{ error: { code: -32000, message: "no", data: { why: "x" } } }];
  const commitment = messagesCommitment(recorded, refused?.call_id ?? "", "upstream", said);
  assert.equal(refused?.detail?.["upstream_response_hash"], commitment);
  assert.equal(unknown?.detail?.["upstream_response_hash"], undefined);
});

test("messages and questions before the result are recorded with it", async () => {
  const { run, entries, recorded } = await start({
    answer: async (_, peer) => {
      await peer.notify("notifications/message", { level: "info", data: "x" });
      const answer = await peer.ask("elicitation/create", FORM);
      assert.deepEqual(answer, { action: "decline" });
      return { kind: "complete", result: { content: [] } };
    },
  });
  const { peer, heard } = agentPeer({ wantsLog: true });
  await run({}, peer);
  const said = heard.map(([method, params]) => ({ method, params }));
  assert.equal(said.length, 2);
  const [entry] = entries();
  const callId = entry?.call_id ?? "";
  const last = { result: { content: [] } };
  assert.equal(entry?.response_payload_hash, messagesCommitment(recorded, callId, "response", [...said, last]));
  const sent = [...said.map((message) => message), last];
  assert.equal(entry?.detail?.["upstream_response_hash"], messagesCommitment(recorded, callId, "upstream", sent));
  const answers = messagesCommitment(recorded, callId, "answers", [
    { method: "elicitation/create", answer: { action: "decline" } },
  ]);
  assert.deepEqual(
    [entry?.detail?.["events_delivered"], entry?.detail?.["questions_asked"], entry?.detail?.["answers_payload_hash"]],
    [1, 1, answers],
  );
});

test("the gateway's members are not hashed, in a result and in an error", async () => {
  for (const [rest, scene] of [
    [{}, {}],
    [{ name: "none" }, {}],
  ] as const) {
    const { run, entries, recorded } = await start(scene);
    const { peer } = agentPeer();
    let presented: RpcBody | undefined;
    const body = await run(rest, { ...peer, present: (outcome) => (presented = peer.present(outcome)) });
    assert.ok(presented !== undefined);
    const last = "result" in presented ? { result: presented.result } : { error: { ...presented.error } };
    const [entry] = entries();
    const committed = messagesCommitment(recorded, entry?.call_id ?? "", "response", [last]);
    assert.equal(entry?.response_payload_hash, committed);
    const members = "result" in body && isJsonObject(body.result["_meta"]) ? body.result["_meta"] : {};
    if ("result" in body) assert.deepEqual(body, withGatewayMembers(presented, members));
  }
});
