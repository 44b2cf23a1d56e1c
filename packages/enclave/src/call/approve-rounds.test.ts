import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ApprovalRequest } from "@cmcp/approval";
import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import type { AgentRequest, Peer, RpcBody, UpstreamAnswer } from "@cmcp/mcp";
import { alice, approvalOf, bob, delivered, scene, TERMS } from "../testing/approval-scene.ts";
import type { GovernedFacts, Verdict } from "@cmcp/policy";
import { callCatalog, targetOf } from "../testing/call-catalog.ts";
import { agentPeer, makeCall, requestFor } from "../testing/calls.ts";
import { CallApprovals } from "./approve.ts";
import { CallDisclosure } from "./disclose.ts";
import { Disclosures } from "./disclosures.ts";
import { refuse } from "./ending.ts";
import { codeOf, FORM, STATE } from "../testing/pipeline-scene.ts";

const TARGET = targetOf(callCatalog(), requestFor());
const RESULT = { content: [{ type: "text", text: "the whole ledger" }] };
const AS_TASK = { task: { ttlMs: 60_000 } } as const;
const elicitation = (capabilities: JsonObject): Peer["capabilities"] => ({ elicitation: capabilities });
/** An agent of MCP 2026-07-28. */
const modern = (capabilities: Peer["capabilities"] = elicitation({})): Peer =>
  agentPeer({ input: "retry", capabilities }).peer;

function taskIdOf(body: RpcBody): string {
  assert.ok("result" in body, JSON.stringify(body));
  const { task, taskId } = body.result;
  const id = isJsonObject(task) ? task["taskId"] : taskId;
  assert.ok(typeof id === "string", JSON.stringify(body.result));
  return id;
}

/** A policy that asks for approvals of calls, and lets servers ask. */
const ofCalls = (facts?: GovernedFacts): Partial<Verdict> =>
  facts?.action === "ask_client" ? {} : { decision: "step_up", rule: "ask", approval: TERMS };

/** A server that makes a task of a call that asks for one, and is at the task's end at once. */
function taskServer({ says = {} }: { readonly says?: JsonObject } = {}) {
  return ({ method, params }: { readonly method: string; readonly params: JsonObject }): UpstreamAnswer => {
    if (method === "tools/call")
      return params["task"] === undefined
        ? { kind: "complete", result: RESULT }
        : { kind: "complete", result: { task: STATE } };
    if (method === "tasks/get") return { kind: "complete", result: { ...STATE, ...says } };
    return { kind: "complete", result: method === "tasks/result" ? RESULT : {} };
  };
}

void describe("a call as a task that policy refuses until a person approves it", () => {
  void it("waits, makes its task once, and its states and result need no further approval", async () => {
    const { run, requested, answer, upstreams, entries } = await scene({ answer: taskServer() });
    const request = await requested({ arguments: { q: "a" }, ...AS_TASK });
    assert.deepEqual([request.task, request.target.method, upstreams.sent.length], [{ ttl: 60_000 }, "tools/call", 0]);
    assert.equal(codeOf(await run({ arguments: { q: "a" }, ...AS_TASK })), "APPROVAL_REQUIRED");
    await answer(alice, request);
    const name = taskIdOf(await run({ arguments: { q: "a" }, ...AS_TASK }));
    assert.ok(delivered(await run({ method: "tasks/get", name })));
    assert.ok(delivered(await run({ method: "tasks/result", name })));
    assert.deepEqual(
      upstreams.sent.map(({ method }) => method),
      ["tools/call", "tasks/get", "tasks/result"],
    );
    const [made, got] = entries().slice(-3);
    assert.deepEqual([made?.detail?.["approval_id"], made?.detail?.["approved_by"]], [request.approval_id, "alice"]);
    assert.deepEqual(
      [got?.detail?.["approval_id"], got?.detail?.["approval_continued"]],
      [undefined, request.approval_id],
    );
    assert.equal(codeOf(await run({ arguments: { q: "a" }, ...AS_TASK })), "APPROVAL_REQUIRED", "another task");
    assert.equal(upstreams.sent.length, 3);
  });

  void it("is another call as a plain one, or with another time to live", async () => {
    const { run, requested, answer, upstreams } = await scene({ answer: taskServer() });
    await answer(alice, await requested(AS_TASK));
    for (const rest of [{}, { task: { ttlMs: null } }, { task: { ttlMs: 60_001 } }])
      assert.equal(codeOf(await run(rest)), "APPROVAL_REQUIRED", JSON.stringify(rest));
    assert.equal(upstreams.sent.length, 0);
    assert.deepEqual((await requested({ task: { ttlMs: null } })).task, { ttl: null });
    await run(AS_TASK);
    assert.equal(upstreams.sent.length, 1);
  });

  void it("tells of its task no more once another rule or policy refuses that", async () => {
    const { run, requested, answer, setRule, reload, upstreams } = await scene({ answer: taskServer() });
    await answer(alice, await requested(AS_TASK));
    const name = taskIdOf(await run(AS_TASK));
    setRule("another");
    assert.equal(codeOf(await run({ method: "tasks/get", name })), "POLICY_DENY");
    setRule("ask");
    assert.ok(delivered(await run({ method: "tasks/get", name })));
    reload();
    assert.equal(codeOf(await run({ method: "tasks/get", name })), "POLICY_DENY");
    assert.equal(upstreams.sent.length, 2);
  });

  void it("tells of its task no more once another catalog is in force", async () => {
    const { run, requested, answer, changeCatalog } = await scene({ answer: taskServer() });
    await answer(alice, await requested(AS_TASK));
    const name = taskIdOf(await run(AS_TASK));
    assert.ok(delivered(await run({ method: "tasks/get", name })));
    changeCatalog();
    assert.equal(codeOf(await run({ method: "tasks/get", name })), "POLICY_DENY");
  });

  void it("lifts nothing for a task that was made without it", async () => {
    let asks = false;
    const { run, requested, answer, pending } = await scene({
      answer: taskServer(),
      decide: () => (asks ? { decision: "step_up", rule: "ask", approval: TERMS } : {}),
    });
    const name = taskIdOf(await run(AS_TASK));
    asks = true;
    await answer(alice, await requested(AS_TASK));
    await run(AS_TASK);
    assert.equal(codeOf(await run({ method: "tasks/get", name })), "POLICY_DENY");
    assert.deepEqual(pending.waitingFor("alice"), [], "nobody is asked about it");
  });

  void it("needs an approval of each answer to its server", async () => {
    const says = { status: "input_required", inputRequests: { q1: { method: "elicitation/create", params: FORM } } };
    const { run, requested, answer, upstreams } = await scene({ decide: ofCalls, answer: taskServer({ says }) });
    await answer(alice, await requested(AS_TASK));
    const name = taskIdOf(await run(AS_TASK));
    assert.ok(delivered(await run({ method: "tasks/get", name }, modern())));
    const update = {
      method: "tasks/update",
      name,
      input: { responses: { q1: { action: "accept", content: {} } }, state: null },
    } as const;
    const request = await requested(update, modern());
    assert.deepEqual(
      [request.task, request.target.method, request.target.name],
      [{ id: name }, "tasks/update", "lookup"],
    );
    assert.deepEqual(request.answers, {
      q1: { method: "elicitation/create", params: FORM, answer: { action: "accept", content: {} } },
    });
    const other = { ...update, input: { ...update.input, responses: { q1: { action: "decline" } } } };
    await answer(bob, request);
    assert.equal(codeOf(await run(other, modern())), "APPROVAL_REQUIRED");
    assert.equal(upstreams.sent.filter(({ method }) => method === "tasks/update").length, 0);
    assert.ok(delivered(await run(update, modern())));
    assert.deepEqual(upstreams.sent.at(-1)?.params["inputResponses"], update.input.responses);
    assert.notEqual(codeOf(await run(update, modern())), undefined, "the question is answered");
    assert.equal(upstreams.sent.filter(({ method }) => method === "tasks/update").length, 1);
  });
});

void describe("a task's result that policy delivers only after an approval", () => {
  const DONE = { status: "completed", result: RESULT };
  for (const method of ["tasks/result", "tasks/get"] as const)
    void it(`is held, and delivered by the next ${method}; the server is asked once`, async () => {
      const { run, requested, answer, upstreams, entries } = await scene({
        decide: (facts) =>
          facts?.delivery === undefined ? {} : { decision: "step_up", rule: "results", approval: TERMS },
        decidesDelivery: true,
        answer: taskServer({ says: DONE }),
      });
      const name = taskIdOf(await run(AS_TASK));
      const about = { method, name } as const;
      const request = await requested(about);
      assert.deepEqual(
        [request.subject, (request.result as typeof RESULT).content, request.task, request.target.name],
        ["result", RESULT.content, { id: name }, "lookup"],
      );
      assert.equal(codeOf(await run(about)), "APPROVAL_REQUIRED");
      await answer(alice, request);
      const body = await run(about);
      assert.ok("result" in body && JSON.stringify(body.result).includes("the whole ledger"), JSON.stringify(body));
      assert.equal(upstreams.sent.filter((sent) => sent.method === method).length, 1);
      assert.deepEqual(
        [entries().at(-1)?.detail?.["approved_by"], entries().at(-1)?.detail?.["delivered_call"]],
        ["alice", request.call_id],
      );
    });
});

void describe("an approved call whose server asks", () => {
  const QUESTION = { method: "elicitation/create", params: FORM };
  const ANSWER = { action: "accept", content: {} };
  const asking = async (url: string | null = null) =>
    await scene({
      url,
      decide: ofCalls,
      answer: ({ params }) =>
        params["inputResponses"] === undefined
          ? { kind: "input_required", inputRequests: { q1: QUESTION }, requestState: "theirs" }
          : { kind: "complete", result: RESULT },
    });
  const stateOf = (body: RpcBody): string => {
    assert.ok("result" in body && typeof body.result["requestState"] === "string", JSON.stringify(body));
    return body.result["requestState"];
  };
  /** The call approved and sent, and what its server asked in return. */
  const asked = async (url: string | null = null) => {
    const made = await asking(url);
    await made.answer(alice, await made.requested({ arguments: { q: "a" } }, modern()));
    const state = stateOf(await made.run({ arguments: { q: "a" } }, modern()));
    const answering = (answer: JsonObject = ANSWER): Partial<AgentRequest> => ({
      arguments: { q: "a" },
      input: { responses: { q1: answer, unasked: { action: "accept" } }, state },
    });
    return { ...made, state, answering };
  };

  void it("goes on once, after an approval of exactly these answers", async () => {
    const { run, requested, answer, answering, upstreams, entries } = await asked();
    const request: ApprovalRequest = await requested(answering(), modern());
    assert.deepEqual(request.answers, { q1: { ...QUESTION, answer: ANSWER } }, "what nobody asked is not sent");
    assert.deepEqual([request.arguments, request.subject], [{ q: "a" }, "call"]);
    assert.equal(codeOf(await run(answering(), modern())), "APPROVAL_REQUIRED", "the state still opens");
    await answer(bob, request);
    assert.equal(codeOf(await run(answering({ action: "decline" }), modern())), "APPROVAL_REQUIRED");
    assert.equal(upstreams.sent.length, 1);
    const bodies = await Promise.all([run(answering(), modern()), run(answering(), modern())]);
    assert.equal(bodies.filter(delivered).length, 1);
    assert.equal(upstreams.sent.length, 2);
    assert.deepEqual(upstreams.sent[1]?.params, {
      name: "lookup",
      arguments: { q: "a" },
      inputResponses: { q1: ANSWER },
      requestState: "theirs",
    });
    const sent = entries().filter(({ policy_decision: decision }) => decision === "allow");
    assert.deepEqual(
      sent.map(({ detail }) => detail?.["approved_by"]),
      ["alice", "bob"],
    );
    assert.equal(codeOf(await run(answering(), modern())), "REQUEST_STATE_INVALID", "the state is used up");
  });

  void it("is not carried on by its own approval, a denied one, or one of another call", async () => {
    const { run, requested, answer, answering, upstreams } = await asked();
    await answer(alice, await requested({ arguments: { q: "a" } }, modern()));
    const request = await requested(answering(), modern());
    await answer(bob, request, { decision: "deny", reason: "too much" });
    assert.equal(codeOf(await run(answering(), modern())), "APPROVAL_DENIED");
    const elsewhere = { ...answering(), arguments: { q: "b" } };
    assert.equal(codeOf(await run(elsewhere, modern())), "REQUEST_STATE_INVALID");
    assert.equal(upstreams.sent.length, 1);
  });

  void it("asks nobody about answers in another form than was asked for", async () => {
    const { run, answering, pending } = await asked();
    assert.equal(
      codeOf(await run(answering({ action: "accept", content: { more: 1 } }), modern())),
      "INPUT_NOT_REQUESTED",
    );
    assert.deepEqual(pending.waitingFor("bob"), []);
  });

  void it("sends an agent that shows URLs to the page, and its answers come back with the state", async () => {
    const { run, answer, answering, pending, upstreams } = await asked("https://gw.example/approve/");
    const peer = modern(elicitation({ url: {}, form: {} }));
    const waits = await run(answering(), peer);
    const [waiting] = pending.waitingFor("alice");
    assert.ok(waiting !== undefined);
    const id = waiting.request.approval_id;
    assert.ok("result" in waits && isJsonObject(waits.result["inputRequests"]));
    assert.deepEqual(Object.keys(waits.result["inputRequests"]), [id]);
    await answer(alice, waiting.request);
    const back = { responses: { [id]: { action: "accept" } }, state: stateOf(waits) };
    assert.ok(delivered(await run({ arguments: { q: "a" }, input: back }, peer)));
    assert.deepEqual(upstreams.sent.at(-1)?.params["inputResponses"], { q1: ANSWER });
    assert.equal(upstreams.sent.length, 2);
  });

  void it("gets the error where its answers are too long for a state", async () => {
    const { run, state } = await asked("https://gw.example/approve/");
    const peer = modern(elicitation({ url: {}, form: {} }));
    const input = { responses: { q1: ANSWER, unasked: { action: "x".repeat(60_000) } }, state };
    const { approval_id: id } = approvalOf(await run({ arguments: { q: "a" }, input }, peer));
    assert.equal(typeof id, "string");
  });

  void it("is not asked about without its answers", async () => {
    const { ports, recorded } = await scene();
    const call = makeCall(requestFor({ input: { responses: { q1: ANSWER }, state: "s" } }), { recorded });
    const refused = refuse(TARGET, { rule: "ask", code: "POLICY_DENY", message: "no", approval: TERMS });
    const disclosure = new CallDisclosure(
      {
        approvers: ports.approvers,
        disclosures: new Disclosures(() => 0),
        recorder: { note: () => assert.fail("nothing is disclosed") },
        instance: "i",
        now: () => 0,
      },
      call,
    );
    const approvals = new CallApprovals(ports, call, disclosure);
    assert.equal(approvals.require(refused, modern()), refused);
    assert.equal(approvals.require({ ...refused, answers: {} }, modern()).detail["error_code"], "APPROVAL_REQUIRED");
  });

  void it("shows an approver of its result the answers too", async () => {
    const made = await scene({
      decide: (facts) =>
        facts?.delivery === undefined ? {} : { decision: "step_up", rule: "results", approval: TERMS },
      decidesDelivery: true,
      answer: ({ params }) =>
        params["inputResponses"] === undefined
          ? { kind: "input_required", inputRequests: null, requestState: "theirs" }
          : { kind: "complete", result: RESULT },
    });
    const state = stateOf(await made.run({}, modern()));
    const request = await made.requested({ input: { responses: {}, state } }, modern());
    assert.deepEqual([request.subject, request.answers], ["result", {}]);
  });
});
