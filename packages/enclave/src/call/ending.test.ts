import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { UpstreamRefusal } from "@cmcp/mcp";
import { callCatalog, targetOf } from "../testing/call-catalog.ts";
import { permitFor, requestFor } from "../testing/calls.ts";
import { cancellationError, fail, refuse } from "./ending.ts";

const target = targetOf(callCatalog(), requestFor());
const permit = permitFor(target);
const redacting = permitFor(target, { decision: "redact", redactFields: ["ssn"] });

test("a refused call is not sent, and the agent gets a code but not the rule", () => {
  const ending = refuse(target, { rule: "the-rule", code: "POLICY_DENY", message: "no" });
  assert.deepEqual(
    [ending.decision, ending.rule, ending.sent, ending.inspection, ending.detail],
    ["deny", "the-rule", false, "n/a", { error_code: "POLICY_DENY" }],
  );
  assert.deepEqual(ending.outcome, {
    kind: "error",
    code: "POLICY_DENY",
    message: "no",
    data: { error_code: "POLICY_DENY" },
  });
  assert.equal(ending.hasServerText, false);
  const asking = refuse(null, {
    rule: "r",
    code: "POLICY_DENY",
    message: "no",
    decision: "step_up",
    data: { uri: "a" },
  });
  assert.ok(asking.outcome.kind === "error");
  assert.deepEqual([asking.decision, asking.outcome.data], ["step_up", { error_code: "POLICY_DENY", uri: "a" }]);
});

test("a failed call is a fault that says how far the call came", () => {
  const unsent = { detail: { sent: 0 } };
  for (const [thrown, outcome] of [
    [new CmcpError("UPSTREAM_UNAVAILABLE", "no", unsent), "not-sent"],
    [new CmcpError("AUDIT_STORE_UNAVAILABLE", "late"), "not-sent"],
    [new UpstreamRefusal({ code: -1, message: "no" }), "refused"],
    [new CmcpError("UPSTREAM_TIMEOUT", "no", { detail: { sent: 1 } }), "unknown"],
    [new Error("anything"), "unknown"],
    ["a text", "unknown"],
  ] as const) {
    const ending = fail(permit, thrown, { events_delivered: 2 });
    assert.deepEqual([ending.decision, ending.sent], ["fault", outcome !== "not-sent"]);
    assert.deepEqual([ending.detail["outcome"], ending.detail["events_delivered"]], [outcome, 2]);
    assert.equal(ending.hasServerText, outcome === "refused", "a server's own error has its words");
  }
});

test("a fault says why a server was not taken for the approved one, and no other fault says a reason", () => {
  const detail = { sent: 0, reason: "wrong-issuer" };
  const mismatch = fail(permit, new CmcpError("UPSTREAM_IDENTITY_MISMATCH", "no", { detail }));
  assert.deepEqual(mismatch.detail, {
    error_code: "UPSTREAM_IDENTITY_MISMATCH",
    outcome: "not-sent",
    identity_fault: "wrong-issuer",
  });
  for (const thrown of [
    new CmcpError("UPSTREAM_UNAVAILABLE", "no", { detail }),
    new CmcpError("UPSTREAM_IDENTITY_MISMATCH", "no", { detail: { sent: 0 } }),
  ])
    assert.equal("identity_fault" in fail(permit, thrown).detail, false);
});

test("an unexpected error reaches the agent with a fixed message", () => {
  const { outcome } = fail(permit, new Error("SECRET"));
  assert.ok(outcome.kind === "error");
  assert.deepEqual([outcome.code, outcome.message], ["TEE_FAULT", "the call failed inside the gateway"]);
  assert.equal(JSON.stringify(outcome).includes("SECRET"), false);
});

test("a server's error is inspected, and loses its text where fields are redacted", () => {
  const refusal = new UpstreamRefusal({ code: -32_002, message: "ssn 123", data: { uri: "note://all", ssn: "123" } });
  const { outcome } = fail(permit, refusal);
  assert.ok(outcome.kind === "error");
  assert.deepEqual([outcome.rpc?.code, outcome.rpc?.message], [-32_002, "ssn 123"]);
  assert.equal(JSON.stringify(outcome.rpc?.data ?? {}).includes("123"), false, "only members that the protocol names");
  const withheld = fail(redacting, refusal).outcome;
  assert.ok(withheld.kind === "error");
  assert.deepEqual(withheld.rpc, { code: -32_002, message: "the tool server refused the call" });
  assert.equal(JSON.stringify(withheld).includes("123"), false);
});

test("a call whose caller went away is recorded as cancelled, with how far it came", () => {
  const sent = cancellationError(new CmcpError("UPSTREAM_TIMEOUT", "no", { detail: { sent: 0 } }));
  assert.deepEqual([sent.code, sent.detail["sent"]], ["REQUEST_CANCELLED", 0]);
  assert.equal(cancellationError(new Error("x")).detail["sent"], undefined);
});
