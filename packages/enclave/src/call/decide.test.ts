import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentRequest } from "@cmcp/mcp";
import type { CompiledPolicy, GovernedFacts, Verdict } from "@cmcp/policy";
import { Vocabulary } from "@cmcp/session";
import { Caller } from "../access/caller.ts";
import type { Core } from "../boot/core.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import { lookupCatalog } from "../testing/lookup.ts";
import { decide } from "./decide.ts";

const { catalog } = lookupCatalog();
const caller = new Caller({ principalId: "default", source: "bearer" }, null);
const session = {
  session: {
    id: "s",
    principalId: "default",
    sensitivity: "public",
    maxSensitivity: "public",
    domainsTouched: new Set(),
    callGraph: { events: [] },
    crossBoundaryEvents: [],
    toolsInvoked: new Set(),
  },
} as unknown as RecordedSession;
const request = {
  method: "tools/call",
  name: "lookup",
  arguments: {},
  params: {},
  meta: null,
  workflowId: null,
  dataClass: null,
  requestId: 1,
  input: null,
} as unknown as AgentRequest;

/** As much of an enclave as a decision reads, whose policy says `verdict`. */
function decidedWith(
  mode: string,
  verdict: Partial<Verdict>,
  redactionOf: CompiledPolicy["redactionOf"] = () => ({ redactFields: [], keepFields: [] }),
): string {
  const policy = {
    bundle: { hash: "sha256:00" },
    decide: () => ({ rule: "r", redactFields: [], keepFields: [], ...verdict }),
    redactionOf,
  };
  const core = {
    policy,
    catalog,
    vocabulary: new Vocabulary(),
    config: { attestation: { enforcement_mode: mode }, enclave: {} },
    principals: { mayUse: () => true },
  } as unknown as Core;
  return decide(core, session, caller, request).outcome;
}

for (const mode of ["advisory", "silent"]) {
  test(`${mode} lets through what policy refuses, and nothing that policy was not asked about`, () => {
    for (const cause of ["policy", "no-policy", "sensitivity", "error", "request-invalid"] as const)
      assert.equal(decidedWith(mode, { decision: "deny", cause }), "advisory_deny", cause);
    assert.equal(
      decidedWith(mode, { decision: "deny", cause: "fault" }),
      "deny",
      "an engine that failed has judged nothing",
    );
    const unknown = (): never => {
      throw new Error("the engine failed");
    };
    assert.equal(
      decidedWith(mode, { decision: "deny", cause: "policy" }, unknown),
      "deny",
      "what must be removed from the result is not known",
    );
    assert.equal(decidedWith(mode, { decision: "allow" }), "allow");
  });
}

test("enforcing lets nothing through that policy refuses", () => {
  for (const decision of ["deny", "step_up", "defer"] as const)
    assert.equal(decidedWith("enforcing", { decision, cause: "policy" }), decision);
});

test("rules find the tools that the configuration gives a workflow, every tool where it says nothing, none for a workflow it does not name", () => {
  const found = (enclave: object, workflowId: string | null): unknown => {
    let tools: readonly string[] = [];
    const policy = {
      bundle: { hash: "sha256:00" },
      decide: (facts: GovernedFacts) => {
        tools = facts.workflowAllowedTools;
        return { decision: "allow", rule: "r", redactFields: [], keepFields: [] };
      },
    };
    const core = {
      policy,
      catalog,
      vocabulary: new Vocabulary(),
      config: { attestation: { enforcement_mode: "enforcing" }, enclave },
      principals: { mayUse: () => true },
    } as unknown as Core;
    assert.equal(decide(core, session, caller, { ...request, workflowId }).outcome, "allow");
    return tools;
  };
  assert.deepEqual(found({}, "any"), ["lookup"]);
  const enclave = { workflow_tools: { billing: ["pay", "lookup"], default: [] } };
  assert.deepEqual(found(enclave, "billing"), ["pay", "lookup"]);
  for (const workflow of [null, "other", "constructor", "__proto__"])
    assert.deepEqual(found(enclave, workflow), [], String(workflow));
});
