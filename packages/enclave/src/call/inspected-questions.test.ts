/** Questions that a server asks an agent before its result, and the answers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { ELICITATION_COMPLETE, UpstreamRefusal, readClientCapabilities, type Peer } from "@cmcp/mcp";
import { agentPeer, inspectedPeer } from "../testing/calls.ts";
import type { PermittedQuestion } from "./decide-questions.ts";

const FORM: JsonObject = {
  message: "Which year?",
  requestedSchema: { type: "object", properties: { year: { type: "integer" } }, required: ["year"] },
};
const LOG: JsonObject = { level: "info", data: "x" };
const bothModes = readClientCapabilities({ elicitation: { form: {}, url: {} }, sampling: {}, roots: {} });

function elicitation(elicitationId: string): JsonObject {
  return { mode: "url", message: "Sign in", url: "https://a.example/", elicitationId };
}

test("an answer reaches the server only once it may leave", async () => {
  const { peer } = agentPeer({ ask: async () => ({ action: "decline" }) });
  const refuse = (): Promise<void> => Promise.reject(new CmcpError("WITNESS_UNAVAILABLE", "none"));
  const asked = inspectedPeer(peer, { beforeAnswer: refuse }).ask("elicitation/create", FORM);
  await assert.rejects(asked, { code: "WITNESS_UNAVAILABLE" });
});

test("data counts as seen before the agent gets anything, and a question stays open as long as the server keeps it open", async () => {
  const order: string[] = [];
  let open: AbortSignal | undefined;
  const { peer } = agentPeer({
    notify: async () => void order.push("told"),
    ask: async (_method, _params, until) => {
      order.push("asked");
      open = until;
      return { action: "decline" };
    },
  });
  const terms = {
    onFirstMessage: () => void order.push("seen"),
    onMessage: () => void order.push("kept"),
    questions: { permit: () => ({ permitAnswer: () => void order.push("decided again") }), detail: {} },
  };
  const { signal } = new AbortController();
  const answer = await inspectedPeer(peer, terms).ask("elicitation/create", FORM, signal);
  assert.deepEqual(answer, { action: "decline" });
  assert.equal(open, signal);
  assert.deepEqual(order.splice(0), ["seen", "kept", "asked", "decided again"]);
  const told = inspectedPeer(peer, terms);
  for (let event = 0; event < 2; event += 1) await told.notify("notifications/message", LOG);
  assert.deepEqual(order, ["seen", "kept", "told", "kept", "told"]);
});

test("data counts as seen once, before questions that the agent answers later are decided", () => {
  const order: string[] = [];
  const delivery = { permits: () => order.push("decided") > 0 };
  const inspected = inspectedPeer(agentPeer().peer, { delivery, onFirstMessage: () => void order.push("seen") });
  for (let time = 0; time < 2; time += 1) inspected.permitInputRequests({ a: { method: "roots/list" } });
  assert.deepEqual(order, ["seen", "decided", "decided"]);
});

test("an answer that requires input asks 16 questions at most, and one that an agent's modes do not have is refused", () => {
  const roots = (count: number): JsonObject =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`q${at}`, { method: "roots/list" }]));
  assert.equal(Object.keys(inspectedPeer().permitInputRequests(roots(16))).length, 16);
  assert.throws(() => inspectedPeer().permitInputRequests(roots(17)), { code: "UPSTREAM_PROTOCOL_ERROR" });
  const url = { method: "elicitation/create", params: elicitation("a") };
  assert.throws(() => inspectedPeer().permitInputRequests({ a: url }), {
    code: "UPSTREAM_INPUT_REQUIRED",
    detail: { sent: 1 },
  });
});

test("a refused question is not asked, and a refused answer is not returned", async () => {
  const refusal = new CmcpError("POLICY_DENY", "no");
  const permit = (): never => {
    throw refusal;
  };
  const first = agentPeer();
  await assert.rejects(inspectedPeer(first.peer, { questions: { permit, detail: {} } }).ask("roots/list", {}), refusal);
  assert.deepEqual(first.heard, []);
  const second = agentPeer({}, () => ({ roots: [] }));
  const late = { permit: () => ({ permitAnswer: permit }), detail: {} };
  await assert.rejects(inspectedPeer(second.peer, { questions: late }).ask("roots/list", {}), refusal);
  assert.equal(second.heard.length, 1);
});

test("an agent's answer is rebuilt from what was asked", async () => {
  const { peer } = agentPeer({}, () => ({ action: "decline", content: { year: 1 }, _meta: { a: "SECRET" } }));
  assert.deepEqual(await inspectedPeer(peer).ask("elicitation/create", FORM), { action: "decline" });
});

test("a server gets a fixed message if the agent refuses or answers in another form", async () => {
  const refusing = (): never => {
    throw new UpstreamRefusal({ code: -32_000, message: "SECRET", data: { a: "SECRET" } });
  };
  const answers: readonly (() => JsonObject)[] = [
    refusing,
    () => ({ action: "accept", content: { year: "SECRET" } }),
    () => ({ action: "accept", content: { year: 1, other: "SECRET" } }),
    () => ({ action: "SECRET" }),
    () => ({ roots: [] }),
  ];
  for (const answer of answers) {
    const inspected = inspectedPeer(agentPeer({}, answer).peer);
    await assert.rejects(inspected.ask("elicitation/create", FORM), (thrown) => {
      assert.ok(thrown instanceof UpstreamRefusal);
      const { rpcCode, rpcMessage, rpcData } = thrown;
      assert.deepEqual([rpcCode, rpcMessage, rpcData], [-32_603, "the client did not answer", undefined]);
      return true;
    });
    assert.equal(inspected.detail["answers_payload_hash"], undefined, "no answer went out");
  }
});

test("a server can ask only for what the agent declared", async () => {
  const { peer, heard } = agentPeer({ capabilities: { roots: {} } });
  const inspected = inspectedPeer(peer);
  await assert.rejects(inspected.ask("elicitation/create", FORM), UpstreamRefusal);
  assert.deepEqual(heard, []);
  const answered: string[] = [];
  const questions = {
    permit: (method: string): PermittedQuestion => ({ permitAnswer: () => void answered.push(method) }),
    detail: {},
  };
  const asked = inspectedPeer(peer, { questions });
  const form = { method: "elicitation/create", params: FORM };
  assert.throws(() => asked.permitInputRequests({ a: form }), { code: "UPSTREAM_INPUT_REQUIRED", detail: { sent: 1 } });
  assert.deepEqual(asked.permitInputRequests({ a: { method: "roots/list" } }), {
    a: { method: "roots/list", params: {} },
  });
});

test("if one of several questions is refused, none is asked", () => {
  const seen: string[] = [];
  const permit = (method: string): PermittedQuestion => {
    if (method === "roots/list") throw new CmcpError("POLICY_DENY", "no");
    return { permitAnswer: () => undefined };
  };
  const terms = { questions: { permit, detail: {} }, onFirstMessage: () => void seen.push("seen") };
  const form = { method: "elicitation/create", params: FORM };
  const roots = { method: "roots/list", params: {} };
  assert.throws(() => inspectedPeer(agentPeer().peer, terms).permitInputRequests({ a: form, b: roots }), {
    code: "POLICY_DENY",
  });
  assert.throws(() => inspectedPeer().permitInputRequests({ a: form, b: { method: "none" } }), {
    code: "UPSTREAM_PROTOCOL_ERROR",
  });
});

test("the completion of an elicitation reaches the agent of this call once, and nobody else", async () => {
  let permitted = true;
  const permit = (): PermittedQuestion => {
    if (!permitted) throw new CmcpError("POLICY_DENY", "not this");
    return { permitAnswer: () => undefined };
  };
  const { peer: agent, heard } = agentPeer({ capabilities: bothModes });
  const terms = { maxBytes: 100_000, questions: { permit, detail: {} } };
  const [peer, another] = [inspectedPeer(agent, terms), inspectedPeer(agent, terms)];
  const complete = (elicitationId: string, by: Peer = peer): Promise<void> =>
    by.notify(ELICITATION_COMPLETE, { elicitationId, extra: "SECRET" });
  const told = (): unknown[] =>
    heard.splice(0).flatMap(([method, params]) => (method === ELICITATION_COMPLETE ? [params] : []));
  await complete("early");
  await peer.ask("elicitation/create", elicitation("early"));
  await peer.ask("elicitation/create", { ...FORM, mode: "form" });
  permitted = false;
  await assert.rejects(peer.ask("elicitation/create", elicitation("denied")), { code: "POLICY_DENY" });
  permitted = true;
  for (const id of ["form", "denied", "early", "early"]) await complete(id);
  await peer.ask("elicitation/create", elicitation("another's"));
  await complete("another's", another);
  assert.deepEqual(told(), [{ elicitationId: "early" }]);
  for (let n = 0; n < 65; n += 1) await peer.ask("elicitation/create", elicitation(String(n)));
  for (const id of ["0", "1", "64"]) await complete(id);
  assert.deepEqual(told(), [{ elicitationId: "1" }, { elicitationId: "64" }], "the oldest is forgotten");
});
