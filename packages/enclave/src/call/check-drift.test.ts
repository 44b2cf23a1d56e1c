import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { SEARCH_TOOL_NAME, withSearchTool, type Drift, type Target } from "@cmcp/catalog";
import type { AgentRequest, TaskSupport } from "@cmcp/mcp";
import { callCatalog, targetOf } from "../testing/call-catalog.ts";
import { makeCall, permitFor, requestFor } from "../testing/calls.ts";
import { checkDrift, type DriftPorts } from "./check-drift.ts";
import type { Ending } from "./ending.ts";

const known = callCatalog();
const catalog = { ...known, tools: withSearchTool(known.tools) };

interface Found {
  readonly drift?: Drift | CmcpError | null;
  readonly support?: TaskSupport | null;
  readonly policy?: DriftPorts["policy"];
  readonly recording?: CmcpError;
}

/** How a call ends at this stage, `null` where it goes on; and the drifts that went on record. */
async function checked(found: Found, rest: Partial<AgentRequest> = {}) {
  const { drift = null, support = null, policy = "fail_closed", recording } = found;
  const recorded: [Target, Drift][] = [];
  const request = requestFor(rest);
  const target = targetOf(catalog, request);
  const step = await checkDrift(makeCall(request), permitFor(target), {
    monitorOf: () => ({
      driftOf: async () => {
        if (drift instanceof CmcpError) throw drift;
        return drift;
      },
      taskSupport: () => support,
    }),
    recordDrift: async (_call, about, how) => {
      recorded.push([about, how]);
      if (recording !== undefined) throw recording;
    },
    policy,
  });
  return { ending: step.kind === "ending" ? step : null, recorded, target };
}

function codeOf(ending: Ending | null): unknown {
  assert.ok(ending?.outcome.kind === "error" && !ending.sent);
  return [ending.rule, ending.decision, ending.outcome.code];
}

test("a call without drift continues, and nothing is recorded", async () => {
  const { ending, recorded } = await checked({});
  assert.deepEqual([ending, recorded], [null, []]);
});

test("the gateway's own tool is compared with no list, and is no task", async () => {
  const drift = new CmcpError("INTERNAL", "nobody is asked");
  const own = { name: SEARCH_TOOL_NAME, arguments: { query: "x" } };
  assert.equal((await checked({ drift }, own)).ending, null);
  assert.deepEqual(codeOf((await checked({ drift }, { ...own, task: { ttlMs: null } })).ending), [
    "task-support",
    "deny",
    "TASK_NOT_SUPPORTED",
  ]);
});

test("drift is recorded and ends the call", async () => {
  for (const drift of ["changed", "withdrawn"] as const) {
    const { ending, recorded, target } = await checked({ drift });
    assert.deepEqual(codeOf(ending), ["catalog-drift", "deny", "CATALOG_DRIFT_DETECTED"]);
    assert.deepEqual(recorded, [[target, drift]]);
  }
});

test("under warn_only drift is recorded and the call continues", async () => {
  const { ending, recorded } = await checked({ drift: "changed", policy: "warn_only" });
  assert.deepEqual([ending, recorded.length], [null, 1]);
});

test("a call fails before it is sent if drift cannot be checked or recorded", async () => {
  const unseen = new CmcpError("UPSTREAM_UNAVAILABLE", "no", { detail: { sent: 0 } });
  assert.deepEqual(codeOf((await checked({ drift: unseen })).ending), ["r", "fault", "UPSTREAM_UNAVAILABLE"]);
  const recording = new CmcpError("AUDIT_STORE_UNAVAILABLE", "late");
  for (const policy of ["fail_closed", "warn_only"] as const) {
    const late = await checked({ drift: "changed", policy, recording });
    assert.deepEqual(codeOf(late.ending), ["r", "fault", "AUDIT_STORE_UNAVAILABLE"]);
  }
});

test("a call has the form that its server supports: as a task, plain, or either", async () => {
  const wrong = ["task-support", "deny", "TASK_NOT_SUPPORTED"];
  const task = { task: { ttlMs: null } };
  assert.deepEqual(codeOf((await checked({ support: null }, task)).ending), wrong);
  assert.deepEqual(codeOf((await checked({ support: "required" })).ending), wrong);
  for (const [support, rest] of [
    ["optional", {}],
    ["optional", task],
    ["required", task],
    ["required", { method: "prompts/get", name: "greeting" }],
    ["required", { method: "resources/read", name: "note://all" }],
  ] as const)
    assert.equal((await checked({ support }, rest)).ending, null, support);
});

test("a request about a task is not checked for its form", async () => {
  const target = targetOf(catalog, requestFor());
  const call = makeCall(requestFor({ method: "tasks/get", name: "t" }));
  const step = await checkDrift(call, permitFor(target), {
    monitorOf: () => ({ driftOf: async () => null, taskSupport: () => "required" }),
    recordDrift: async () => undefined,
    policy: "fail_closed",
  });
  assert.deepEqual(step, { kind: "continue", value: null });
});
