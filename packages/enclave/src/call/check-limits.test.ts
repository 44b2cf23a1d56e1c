import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SinkCeilings, WindowLimits, type WindowLimit } from "@cmcp/limits";
import { Vocabulary } from "@cmcp/session";
import { deciderOf, makeCall, policyStub, requestFor, sessionOf } from "../testing/calls.ts";
import type { LimitPorts } from "./check-limits.ts";
import { labelOf } from "../testing/labels.ts";

const vocabulary = new Vocabulary();
const LIMIT: WindowLimit = { principal: null, tool: null, windowMs: 1_000, of: "calls", max: 1 };

function codeOf(limits: Partial<LimitPorts>, call = makeCall()): string {
  const step = deciderOf("advisory", limits).decide(call);
  if (step.kind === "continue") return "permitted";
  assert.equal(step.sent, false);
  return `${String(step.detail["error_code"])} ${step.rule}`;
}

function messageOf(limits: Partial<LimitPorts>, call = makeCall()): string {
  const step = deciderOf("enforcing", limits).decide(call);
  assert.ok(step.kind === "ending" && step.outcome.kind === "error");
  return step.outcome.message;
}

describe("limits of a call", () => {
  test("an agent is told which kind of limit it met, and nothing of the numbers", () => {
    const full = (of: "calls" | "bytes"): Partial<LimitPorts> => ({
      windows: new WindowLimits([{ ...LIMIT, of, max: 0 }], () => 0),
    });
    const sinks = (tool: string, response: string): Partial<LimitPorts> => ({
      sinks: new SinkCeilings({ lookup: tool }, response, (label) => vocabulary.rank(label)),
    });
    const declared = makeCall(requestFor({ dataClass: "mnpi" }));
    assert.match(messageOf(full("calls")), /too many calls/);
    assert.match(messageOf(full("bytes")), /too many bytes/);
    assert.match(messageOf(sinks("pii", "mnpi"), declared), /may not go there/);
    assert.match(messageOf(sinks("mnpi", "pii"), declared), /may not go to callers/);
    assert.match(messageOf({ holdOf: () => ({ kind: "uncounted" }) }), /as many principals as it can/);
  });

  test("the kill switch refuses before anything else is looked at, in every mode", () => {
    const limits = { holdOf: () => ({ kind: "blocked", trigger: "operator" }) as const };
    assert.equal(codeOf(limits), "KILL_SWITCH_TRIPPED kill_switch");
    assert.equal(codeOf(limits, makeCall(requestFor({ name: "unknown" }))), "KILL_SWITCH_TRIPPED kill_switch");
    assert.equal(codeOf({ holdOf: () => ({ kind: "uncounted" }) }), "OVERLOADED kill_switch:uncounted");
  });

  test("a call that policy permits is counted, and one that it refuses is not", () => {
    const windows = new WindowLimits([LIMIT], () => 0);
    const decider = deciderOf("enforcing", { windows });
    const denied = policyStub(() => ({ decision: "deny" }));
    assert.equal(decider.decide(makeCall(requestFor(), { policy: denied })).kind, "ending");
    assert.equal(decider.decide(makeCall()).kind, "continue");
    assert.equal(codeOf({ windows }), "RATE_LIMIT_EXCEEDED rate_limit:0");
  });

  test("a budget counts the bytes of the request, and a full table of principals refuses", () => {
    const { requestBytes } = makeCall();
    const budget = (max: number, principals?: number): Partial<LimitPorts> => ({
      windows: new WindowLimits([{ ...LIMIT, of: "bytes", max }], () => 0, principals),
    });
    assert.equal(codeOf(budget(requestBytes)), "permitted");
    assert.equal(codeOf(budget(requestBytes - 1)), "BUDGET_EXCEEDED budget:0");
    assert.equal(codeOf(budget(requestBytes, 0)), "OVERLOADED rate_limit:uncounted");
  });

  test("a request about a task counts its bytes and is no call of its own", () => {
    const windows = new WindowLimits([LIMIT], () => 0);
    const call = makeCall();
    windows.take({ principal: "alice", tool: "lookup", calls: 1, bytes: 0 });
    assert.equal(codeOf({ windows }, { ...call, isFollowUp: true }), "permitted");
  });

  test("ceilings are held against session, tool and declared label", () => {
    const sinks = (tool: string, response = "trade_secret"): Partial<LimitPorts> => ({
      sinks: new SinkCeilings({ lookup: tool }, response, (label) => vocabulary.rank(label)),
    });
    assert.equal(codeOf(sinks("trade_secret")), "permitted");
    assert.equal(codeOf({ sinks: new SinkCeilings({}, "mnpi", () => 9) }), "POLICY_DENY sink_policy:tool_denied");
    const recorded = sessionOf();
    recorded.session.raise(labelOf("hipaa_phi"));
    assert.equal(
      codeOf(sinks("confidential"), makeCall(requestFor(), { recorded })),
      "POLICY_DENY sink_policy:tool_denied",
    );
    const declared = makeCall(requestFor({ dataClass: "mnpi" }));
    assert.equal(codeOf(sinks("confidential"), declared), "POLICY_DENY sink_policy:tool_denied");
    assert.equal(codeOf(sinks("mnpi", "confidential"), declared), "POLICY_DENY sink_policy:response_denied");
  });
});
