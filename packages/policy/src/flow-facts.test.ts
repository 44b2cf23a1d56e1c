import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_FLOWS, UNKNOWN_FLOWS, type FlowFacts } from "./flow.ts";
import { call, compile, PERMIT_ALL } from "./test-support.ts";

const FLOWS: FlowFacts = {
  flows: [
    {
      sourceServer: "clinic",
      sourceTool: "read",
      labels: ["pii", "hipaa_phi"],
      kind: "exact",
      path: "/a",
      coverage: 40,
    },
    { sourceServer: "clinic", sourceTool: "list", labels: ["pii"], kind: "encoded", path: "", coverage: 70 },
  ],
  complete: true,
};

for (const [condition, denied] of [
  [`context.flow_labels.containsAll(["pii", "hipaa_phi"])`, FLOWS],
  [`context.flow_servers.contains("clinic")`, FLOWS],
  [`context.flow_tools.containsAll(["read", "list"])`, FLOWS],
  [`context.flow_kinds.contains("encoded")`, FLOWS],
  ["context.flow_coverage == 70", FLOWS],
  [
    `context.flows.contains({source_server: "clinic", source_tool: "list", labels: ["pii"], kind: "encoded", path: "", coverage: 70})`,
    FLOWS,
  ],
  ["!context.flows_complete", UNKNOWN_FLOWS],
] as const)
  test(`a rule can read ${condition}`, async () => {
    const rules = `${PERMIT_ALL} @id("f") forbid (principal, action == cMCP::Action::"call_tool", resource) when { ${condition} };`;
    const policy = await compile(rules);
    const verdictOf = (flows: FlowFacts) => policy.decide(call({ path: "x" }, { flows }));
    assert.deepEqual([verdictOf(NO_FLOWS).decision, verdictOf(denied).decision], ["allow", "deny"]);
    assert.equal(verdictOf(denied).cause, "sensitivity", "the session's past denies");
  });

test("a policy says which attributes its rules read", async () => {
  const rules = `${PERMIT_ALL} forbid (principal, action, resource) when { context has flows && context.flow_coverage > 1 };`;
  const policy = await compile(rules);
  assert.deepEqual(
    ["flows", "flow_coverage", "flow_labels"].map((name) => policy.reads("context", name)),
    [true, true, false],
  );
  assert.equal(policy.reads("principal", "flows"), false);
  const whole = `${PERMIT_ALL} forbid (principal, action, resource) when { context == context };`;
  assert.ok((await compile(whole)).reads("context", "flow_labels"));
});
