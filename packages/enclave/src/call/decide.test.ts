import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentRequest } from "@cmcp/mcp";
import type { CompiledPolicy, GovernedFacts, Verdict } from "@cmcp/policy";
import { Vocabulary } from "@cmcp/session";
import { callCatalog, targetOf } from "../testing/call-catalog.ts";
import { makeCall, deciderOf, policyStub, requestFor, sessionOf } from "../testing/calls.ts";
import type { GatewayFacts } from "./policy-facts.ts";

const catalog = callCatalog();
const lookup = targetOf(catalog, requestFor());
const deny = (cause: Verdict["cause"] = "policy"): CompiledPolicy => policyStub(() => ({ decision: "deny", cause }));

/** The rule of the stage that ends a call; `null` where it goes on. */
function stage(rest: Partial<AgentRequest>, policy: CompiledPolicy): string | null {
  const step = deciderOf().decide(makeCall(requestFor(rest), { policy }));
  return step.kind === "ending" ? step.rule : null;
}

test("each stage decides before the next: the catalog, the workflow, the arguments, policy", () => {
  const wrong = { name: "none", workflowId: "other", arguments: { x: 1 } };
  assert.equal(stage(wrong, deny()), "not-in-catalog");
  assert.equal(stage({ ...wrong, name: "unpinned" }, deny()), "server-not-callable");
  assert.equal(stage({ ...wrong, name: "lookup" }, deny()), "workflow-not-allowed");
  assert.equal(stage({ arguments: { x: 1 } }, deny()), "input-schema");
  assert.equal(stage({}, deny()), "r");
  assert.equal(stage({}, policyStub()), null);
});

test("at the endpoint of a workflow, a tool of another is unknown before its workflow, arguments or policy are looked at", () => {
  const workflowTools = { default: ["lookup"], other: ["report"] };
  const at = (endpoint: string | null, rest: Partial<AgentRequest> = {}): string | null => {
    const call = makeCall(requestFor(rest), { policy: deny() });
    const caller = endpoint === null ? call.caller : call.caller.at(endpoint);
    const step = deciderOf("enforcing", {}, { workflowTools }).decide({ ...call, caller });
    return step.kind === "ending" ? step.rule : null;
  };
  assert.deepEqual([at(null), at("default"), at("other")], ["r", "r", "not-in-catalog"]);
  assert.equal(at("other", { workflowId: "none", arguments: { x: 1 } }), "not-in-catalog");
  for (const endpoint of ["unlisted", "constructor"]) assert.equal(at(endpoint), "not-in-catalog", endpoint);
  assert.equal(at("unlisted", { method: "prompts/get", name: "none" }), "not-in-catalog");
});

test("policy is not asked about a call that an earlier stage refuses", () => {
  let asked = 0;
  const policy = policyStub(() => {
    asked += 1;
    return {};
  });
  for (const rest of [{ name: "none" }, { workflowId: "other" }, { arguments: { x: 1 } }, { dataClass: "none" }])
    stage(rest, policy);
  assert.equal(asked, 0);
  stage({}, policy);
  assert.equal(asked, 1);
});

test("a question has a decision of its own, under the same mode as the call", () => {
  const methods: unknown[] = [];
  const policy = policyStub((facts: GovernedFacts) => {
    methods.push("requestMethod" in facts ? facts.requestMethod : null);
    return { decision: "deny" };
  });
  const judged = (mode: GatewayFacts["enforcementMode"], by = policy) =>
    deciderOf(mode).decideQuestion(makeCall(requestFor(), { policy: by }), lookup, {
      method: "roots/list",
      answer: null,
    });
  const refused = judged("enforcing");
  assert.deepEqual([refused.allowed, refused.refusal?.code], [false, "POLICY_DENY"]);
  assert.deepEqual([judged("silent").allowed, judged("advisory").allowed], [true, true]);
  assert.equal(judged("silent", deny("fault")).allowed, false, "an engine that failed has judged nothing");
  assert.deepEqual(judged("enforcing", policyStub()), { allowed: true, refusal: null });
  assert.deepEqual(methods, ["roots/list", "roots/list", "roots/list"]);
});

interface Listed {
  readonly mode?: GatewayFacts["enforcementMode"];
  readonly name?: string;
}

/** Whether a tool is listed to a session that has seen everything. */
function listed(policy: CompiledPolicy, { mode = "enforcing", name = "lookup" }: Listed = {}): boolean {
  const recorded = sessionOf();
  recorded.session.raise(new Vocabulary().highest);
  const target = targetOf(catalog, requestFor({ name }));
  return deciderOf(mode).isListed(makeCall(requestFor(), { recorded, policy }), target).listed;
}

test("a session's sensitivity removes nothing from lists, and a tool that no session may call is not listed", () => {
  const clean = policyStub((facts) =>
    facts.sessionMaxSensitivity === "public" && facts.sensitivityLevelInt === 0 ? {} : { decision: "deny" },
  );
  assert.equal(listed(clean), true);
  assert.equal(listed(deny()), false);
  assert.equal(listed(policyStub(() => ({ decision: "redact" }))), true);
  assert.equal(listed(policyStub(() => ({ decision: "step_up" }))), false);
});

test("a tool that waits for approvals is listed where enough people can give them", () => {
  const asking = policyStub(() => ({
    decision: "step_up",
    approval: { needed: 2, approvers: null, reason: null },
  }));
  const call = makeCall(requestFor(), { policy: asking });
  const withApprovers = (count: number): boolean => {
    const approvers = { eligible: ({ needed }: { needed: number }) => (needed <= count ? ["a", "b"] : null) };
    return deciderOf("enforcing", {}, { approvers }).isListed(call, lookup).listed;
  };
  assert.deepEqual([withApprovers(2), withApprovers(1), listed(asking)], [true, false, false]);
});

test("a held result is for a caller that may still call: not stopped, under a manifest that counts, in its workflow", () => {
  const ruleOf = (
    limits: Parameters<typeof deciderOf>[1],
    { problem = null, workflowId = "default" }: { problem?: "revoked" | null; workflowId?: string } = {},
  ): string | null => {
    const recorded = Object.assign(sessionOf(), { manifest: {} });
    const decider = deciderOf("enforcing", limits, { manifests: { problemOf: () => problem } });
    const step = decider.checkHeld(makeCall(requestFor({ workflowId }), { recorded }), lookup);
    return step.kind === "ending" ? step.rule : null;
  };
  assert.equal(ruleOf({}), null);
  assert.equal(ruleOf({ holdOf: () => ({ kind: "blocked", trigger: "operator" }) }), "kill_switch");
  assert.equal(ruleOf({}, { problem: "revoked" }), "agent_manifest:revoked");
  assert.equal(ruleOf({}, { workflowId: "other" }), "workflow-not-allowed");
});

test("a tool is listed if some arguments would be allowed, or only arguments could decide", () => {
  const could = policyStub(() => ({ decision: "deny", cause: "policy" }), { couldAllow: () => true });
  assert.equal(listed(could), true);
  for (const cause of ["error", "request-invalid"] as const) assert.equal(listed(deny(cause)), true, cause);
  const failed = policyStub(() => ({ decision: "deny", cause: "fault" }), { couldAllow: () => true });
  assert.equal(listed(failed), false, "an engine that failed lists nothing");
});

test("no mode lists a tool whose server cannot be called; a mode that does not enforce lists all others", () => {
  assert.equal(listed(policyStub(), { name: "unpinned" }), false);
  assert.equal(listed(deny(), { mode: "silent", name: "unpinned" }), false);
  for (const mode of ["silent", "advisory"] as const) assert.equal(listed(deny(), { mode }), true);
});
