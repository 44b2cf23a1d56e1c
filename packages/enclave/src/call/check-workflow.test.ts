import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentRequest } from "@cmcp/mcp";
import { callCatalog, targetOf } from "../testing/call-catalog.ts";
import { rulesStub, requestFor, sessionOf } from "../testing/calls.ts";
import { callerOf } from "../testing/record-room.ts";
import { createCall } from "./call.ts";
import { checkWorkflow } from "./check-workflow.ts";
import { Tasks } from "./tasks.ts";

const target = targetOf(callCatalog(), requestFor());
const terms = {
  mayUse: ({ principalId }: { principalId: string }, workflow: string) =>
    principalId === "alice" && ["default", "billing"].includes(workflow),
  isLabel: (label: string) => label === "pii",
};

/** The rule and code of a refusal; `null` where the call goes on. */
function checked(rest: Partial<AgentRequest>, unnamed: string | null = "default"): unknown {
  const ports = { tasks: new Tasks(() => 0), rules: rulesStub(), unnamedWorkflow: () => unnamed };
  const call = createCall(sessionOf(), callerOf("alice"), requestFor(rest), ports);
  const step = checkWorkflow(call, target, terms);
  if (step.kind === "continue") return null;
  assert.ok(step.outcome.kind === "error" && step.target === target && !step.sent);
  return [step.rule, step.outcome.code];
}

test("a caller of several workflows without the default must name one", () => {
  assert.deepEqual(checked({}, null), ["workflow-required", "WORKFLOW_REQUIRED"]);
  assert.equal(checked({ workflowId: "billing" }, null), null);
});

test("a caller may use its workflows, and naming none gives no other", () => {
  assert.equal(checked({}), null);
  assert.equal(checked({}, "billing"), null);
  assert.deepEqual(checked({}, "payroll"), ["workflow-not-allowed", "WORKFLOW_NOT_ALLOWED"]);
  assert.equal(checked({ workflowId: "billing" }), null);
  for (const workflowId of ["payroll", "", "constructor"])
    assert.deepEqual(checked({ workflowId }), ["workflow-not-allowed", "WORKFLOW_NOT_ALLOWED"], workflowId);
});

test("a declared data class is a label of the vocabulary", () => {
  assert.equal(checked({ dataClass: "pii" }), null);
  for (const dataClass of ["secret", ""])
    assert.deepEqual(checked({ dataClass }), ["unknown-data-class", "MCP_INVALID_REQUEST"]);
});
