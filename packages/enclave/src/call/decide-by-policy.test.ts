import assert from "node:assert/strict";
import { test } from "node:test";
import { compilePolicy, type CompiledPolicy, type Verdict } from "@cmcp/policy";
import { callCatalog, targetOf } from "../testing/call-catalog.ts";
import { bundleOf, makeCall, gatewayWith, policyStub, requestFor, sessionOf, verdict } from "../testing/calls.ts";
import { decideByPolicy, refusalOf } from "./decide-by-policy.ts";
import type { Ending, Step } from "./ending.ts";
import type { GatewayFacts } from "./policy-facts.ts";
import type { Permit } from "./permit.ts";
import { labelOf } from "../testing/labels.ts";

const catalog = callCatalog();
const SCHEMA = `namespace cMCP { entity Principal; entity Resource = { tool_name: String };
  action call_tool appliesTo { principal: Principal, resource: Resource,
    context: { session_max_sensitivity: String, arguments: { q?: String } } }; }`;
const RULES = `
@id("people") @redact_fields("ssn") @keep_fields("name")
permit (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"person");
@id("notes") permit (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"lookup");
@id("no-secrets") forbid (principal, action, resource)
  when { context.arguments has q && context.arguments.q == "secret" };
@id("clean") forbid (principal, action, resource)
  when { resource.tool_name == "lookup" && context.session_max_sensitivity == "pii" };
@id("ask") @aarm_decision("step_up") forbid (principal, action, resource)
  when { context.arguments has q && context.arguments.q == "approve" };
@id("wait") @aarm_decision("defer") forbid (principal, action, resource)
  when { context.arguments has q && context.arguments.q == "wait" };`;
const policy = await compilePolicy(bundleOf(RULES, SCHEMA), catalog, {
  workerUrl: new URL("../../../policy/src/compile-worker.ts", import.meta.url),
});

interface Scene {
  readonly tool?: string;
  readonly seen?: string;
  readonly mode?: GatewayFacts["enforcementMode"];
  readonly by?: CompiledPolicy;
}

function policyRequest(q: string, { tool = "lookup", seen = "public", mode = "enforcing", by = policy }: Scene = {}) {
  const recorded = sessionOf();
  recorded.session.raise(labelOf(seen));
  const request = requestFor({ name: tool, arguments: { q } });
  return decideByPolicy(makeCall(request, { recorded, policy: by }), targetOf(catalog, request), {
    gateway: gatewayWith(mode),
    lifted: new Set(),
  });
}

function permitted(step: Step<Permit>): Permit {
  assert.ok(step.kind === "continue");
  return step.value;
}

function stopped(step: Step<Permit>): Ending {
  assert.ok(step.kind === "ending");
  return step;
}

test("a call that policy allows gets a permit with its rule and redactions", () => {
  const { target, ...plain } = permitted(policyRequest("a"));
  assert.equal(target.kind, "tool");
  assert.deepEqual(plain, { decision: "allow", rule: "notes", redactFields: [], keepFields: [], advisory: null });
  const { decision, redactFields, keepFields } = permitted(policyRequest("a", { tool: "person" }));
  assert.deepEqual([decision, redactFields, keepFields], ["redact", ["ssn"], ["name"]]);
});

test("a call that policy refuses ends, with a message that names no rule", () => {
  for (const [q, seen, decision, rule, code] of [
    ["secret", "public", "deny", "no-secrets", "POLICY_DENY"],
    ["a", "pii", "deny", "clean", "SESSION_SENSITIVITY_POLICY_DENY"],
    ["approve", "public", "step_up", "ask", "POLICY_DENY"],
    ["wait", "public", "defer", "wait", "POLICY_DENY"],
  ] as const) {
    const ending = stopped(policyRequest(q, { seen }));
    assert.ok(ending.outcome.kind === "error");
    assert.deepEqual([ending.decision, ending.rule, ending.outcome.code, ending.sent], [decision, rule, code, false]);
    assert.equal(JSON.stringify(ending.outcome).includes(rule), false, rule);
  }
});

test("a call that no rule permits is refused", () => {
  const nothing = policyStub(() => ({ decision: "deny", cause: "no-policy", rule: "default-deny" }));
  assert.equal(stopped(policyRequest("a", { by: nothing })).rule, "default-deny");
});

test("under a mode that does not enforce, a refused call continues and its permit says so", () => {
  for (const mode of ["advisory", "silent"] as const) {
    const secret = permitted(policyRequest("secret", { mode, tool: "person" }));
    assert.deepEqual(
      [secret.decision, secret.rule, secret.advisory],
      ["advisory_deny", "no-secrets", { decision: "deny", code: "POLICY_DENY" }],
    );
    assert.deepEqual(
      [secret.redactFields, secret.keepFields],
      [["ssn"], ["name"]],
      "what permits remove leaves the result",
    );
    assert.deepEqual(permitted(policyRequest("approve", { mode })).advisory, {
      decision: "step_up",
      code: "POLICY_DENY",
    });
    const dirty = permitted(policyRequest("a", { mode, seen: "pii" }));
    assert.equal(dirty.advisory?.code, "SESSION_SENSITIVITY_POLICY_DENY");
    assert.equal(permitted(policyRequest("a", { mode })).decision, "allow");
  }
});

test("no mode lets a call through if the engine failed or the redaction is unknown", () => {
  const causes = ["policy", "no-policy", "sensitivity", "error", "request-invalid", "context-bound"] as const;
  const refusing = (cause: Verdict["cause"], rest: Partial<CompiledPolicy> = {}): CompiledPolicy =>
    policyStub(() => ({ decision: "deny", cause }), rest);
  const redactionOf = (): never => {
    throw new Error("the engine failed");
  };
  for (const mode of ["advisory", "silent"] as const) {
    for (const cause of causes) assert.equal(policyRequest("a", { mode, by: refusing(cause) }).kind, "continue", cause);
    assert.equal(stopped(policyRequest("a", { mode, by: refusing("fault") })).decision, "deny");
    assert.equal(stopped(policyRequest("a", { mode, by: refusing("policy", { redactionOf }) })).decision, "deny");
  }
});

test("only decisions that refuse have a refusal", () => {
  const of = (decision: Verdict["decision"]) => refusalOf(verdict({ decision }));
  assert.deepEqual([of("allow"), of("redact")], [null, null]);
  for (const decision of ["deny", "step_up", "defer"] as const) assert.notEqual(of(decision), null);
});
