import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentRequest } from "@cmcp/mcp";
import { callCatalog, targetOf } from "../testing/call-catalog.ts";
import { makeCall, requestFor } from "../testing/calls.ts";
import { checkWorkflow } from "./check-workflow.ts";

const target = targetOf(callCatalog(), requestFor());
const terms = {
  mayUse: ({ principalId }: { principalId: string }, workflow: string) =>
    principalId === "alice" && ["default", "billing"].includes(workflow),
  isLabel: (label: string) => label === "pii",
};

/** The rule and code of a refusal; `null` where the call goes on. */
function checked(rest: Partial<AgentRequest>): unknown {
  const step = checkWorkflow(makeCall(requestFor(rest)), target, terms);
  if (step.kind === "continue") return null;
  assert.ok(step.outcome.kind === "error" && step.target === target && !step.sent);
  return [step.rule, step.outcome.code];
}

test("a caller may use the workflows of its principal, and the default if it names none", () => {
  assert.equal(checked({}), null);
  assert.equal(checked({ workflowId: "billing" }), null);
  for (const workflowId of ["payroll", "", "constructor"])
    assert.deepEqual(checked({ workflowId }), ["workflow-not-allowed", "WORKFLOW_NOT_ALLOWED"], workflowId);
});

test("a declared data class is a label of the vocabulary", () => {
  assert.equal(checked({ dataClass: "pii" }), null);
  for (const dataClass of ["secret", ""])
    assert.deepEqual(checked({ dataClass }), ["unknown-data-class", "MCP_INVALID_REQUEST"]);
});
