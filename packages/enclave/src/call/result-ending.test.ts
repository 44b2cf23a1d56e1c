import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import type { AgentRequest, Outcome } from "@cmcp/mcp";
import { callCatalog, targetOf } from "../testing/call-catalog.ts";
import { agentPeer, makeCall, inspectedPeer, permitFor, requestFor, taskState } from "../testing/calls.ts";
import type { Permit } from "./permit.ts";
import { deliver, resultEnding } from "./result-ending.ts";

const catalog = callCatalog();
const REDACT = { decision: "redact", redactFields: ["ssn"], keepFields: ["name"] } as const;
const person = requestFor({ name: "person", arguments: { q: "Ann" } });
const PERSON: JsonObject = { name: "Ann", ssn: "123-45-6789", age: 7 };

function ended(request: AgentRequest, result: JsonObject, rest: Partial<Permit> = {}, maxBytes = 10_000) {
  const permit = permitFor(targetOf(catalog, request), rest);
  return resultEnding(makeCall(request), permit, { result, peer: inspectedPeer(), outcome: "delivered" }, maxBytes);
}

function structured(value: JsonObject): JsonObject {
  return { content: [{ type: "text", text: JSON.stringify(value) }], structuredContent: value };
}

test("questions, a task's words and its ending are text of the server; a bare task or result is none", () => {
  const task = taskState();
  const cases: readonly (readonly [Outcome, boolean])[] = [
    [{ kind: "input", inputRequests: { a: { method: "roots/list" } }, requestState: "s" }, true],
    [{ kind: "input", inputRequests: null, requestState: "s" }, false],
    [{ kind: "task", task, ending: {} }, false],
    [{ kind: "task", task: taskState({ statusMessage: "half done" }), ending: {} }, true],
    [{ kind: "task", task, ending: { result: {} } }, true],
    [{ kind: "result", result: {} }, false],
  ];
  const permit = permitFor(targetOf(catalog, requestFor()));
  for (const [outcome, expected] of cases) {
    const { hasServerText, sent } = deliver(permit, outcome, {});
    assert.deepEqual([hasServerText, sent], [expected, true], JSON.stringify(outcome));
  }
});

test("a result that matches its schema is delivered under its permit", () => {
  const text = { content: [{ type: "text", text: "found" }] };
  const { decision, rule, sent, outcome, inspection, detail } = ended(requestFor(), text);
  assert.deepEqual([decision, rule, sent, inspection], ["allow", "r", true, "pass"]);
  assert.deepEqual(
    [outcome, detail],
    [
      { kind: "result", result: text },
      { outcome: "delivered", removed: 0 },
    ],
  );
});

test("undeclared members are removed from the result, and the record says how many", () => {
  const ending = ended(person, structured({ ...PERSON, surplus: "x" }));
  assert.deepEqual([ending.decision, ending.inspection], ["allow", "surplus_stripped"]);
  assert.ok(ending.outcome.kind === "result" && Number(ending.detail["removed"]) > 0);
  assert.equal(JSON.stringify(ending.outcome).includes("surplus"), false);
});

test("a result is recorded as redacted exactly when fields were redacted", () => {
  const { decision, inspection, outcome, detail } = ended(person, structured(PERSON), REDACT);
  assert.deepEqual([decision, inspection, detail["outcome"]], ["redact", "surplus_stripped", "delivered"]);
  assert.ok(outcome.kind === "result");
  assert.equal(JSON.stringify(outcome).includes("123-45-6789"), false);
  assert.deepEqual(outcome.result["structuredContent"], { name: "Ann", age: 7 });
});

test("a result that cannot be redacted is withheld and recorded as denied; its data still counts as seen", () => {
  const text = { content: [{ type: "text", text: "ssn 123-45-6789" }] };
  const resource = requestFor({ method: "resources/read", name: "note://all" });
  const prompt = requestFor({ method: "prompts/get", name: "greeting", arguments: { who: "Ann" } });
  const cases: readonly (readonly [AgentRequest, JsonObject])[] = [
    [requestFor(), text],
    [resource, { contents: [{ uri: "note://all", text: "ssn 123-45-6789" }] }],
    [prompt, { messages: [{ role: "user", content: { type: "text", text: "ssn 123-45-6789" } }] }],
  ];
  for (const [request, result] of cases) {
    const ending = ended(request, result, REDACT);
    assert.ok(ending.outcome.kind === "error", request.method);
    assert.deepEqual([ending.decision, ending.sent, ending.rule], ["deny", true, "response_unprojectable"]);
    assert.equal(ending.hasServerText, false, "nothing of it is delivered");
    assert.deepEqual(
      [ending.outcome.code, ending.inspection, ending.detail["outcome"]],
      ["RESPONSE_UNPROJECTABLE", "schema_violation", "withheld"],
    );
    assert.equal(JSON.stringify(ending).includes("123-45-6789"), false);
  }
});

test("what has another shape or is too large is withheld, each for its own reason", () => {
  const large = { content: [{ type: "text", text: "x".repeat(100) }] };
  for (const [result, maxBytes, code, inspection] of [
    [{ content: "none" }, 10_000, "RESPONSE_SCHEMA_VIOLATION_STRICT", "schema_violation"],
    [large, 50, "RESPONSE_SIZE_EXCEEDED", "size_exceeded"],
  ] as const) {
    const ending = ended(requestFor(), result, {}, maxBytes);
    assert.ok(ending.outcome.kind === "error");
    assert.deepEqual([ending.decision, ending.sent, ending.hasServerText], ["deny", true, false]);
    assert.deepEqual([ending.outcome.code, ending.inspection], [code, inspection]);
  }
  const wrong = ended(person, structured({ name: 1 }));
  assert.equal(wrong.inspection, "schema_violation");
});

test("a resource's parts have the URI that was asked", () => {
  const read = requestFor({ method: "resources/read", name: "note://by-id/7" });
  const parts = (uri: string): JsonObject => ({ contents: [{ uri, text: "a" }] });
  assert.equal(ended(read, parts("note://by-id/7")).outcome.kind, "result");
  for (const uri of ["note://by-id/8", "note://by-id/{id}", "note://all"])
    assert.equal(ended(read, parts(uri)).inspection, "schema_violation", uri);
});

test("a prompt's and a completion's results have the shapes of their methods", () => {
  const prompt = requestFor({ method: "prompts/get", name: "greeting", arguments: { who: "Ann" } });
  const messages = { messages: [{ role: "user", content: { type: "text", text: "Hello" } }] };
  const complete = requestFor({
    method: "completion/complete",
    name: "greeting",
    completion: {
      reference: { type: "ref/prompt", name: "greeting" },
      argument: { name: "who", value: "" },
      known: {},
    },
  });
  const values = { completion: { values: ["Ann"] } };
  assert.equal(ended(prompt, messages).outcome.kind, "result");
  assert.equal(ended(complete, values).outcome.kind, "result");
  assert.equal(ended(prompt, values).inspection, "schema_violation");
  assert.equal(ended(complete, messages).inspection, "schema_violation");
});

test("what the mode alone lets through is recorded as that, redacted or not", () => {
  const advisory = { decision: "deny", code: "POLICY_DENY" } as const;
  const ending = ended(person, structured(PERSON), { ...REDACT, decision: "advisory_deny", advisory });
  assert.equal(ending.decision, "advisory_deny");
  assert.equal(JSON.stringify(ending.outcome).includes("123-45-6789"), false);
});

test("what passed before the result is in the detail of a result and of one that is withheld", async () => {
  const permit = permitFor(targetOf(catalog, requestFor()));
  const peer = inspectedPeer(agentPeer({ wantsLog: true }).peer);
  await peer.notify("notifications/message", { level: "info", data: "x" });
  for (const result of [{ content: [] }, { content: "none" }]) {
    const { detail } = resultEnding(makeCall(), permit, { result, peer, outcome: "delivered" }, 10_000);
    assert.equal(detail["events_delivered"], 1);
  }
});

test("where nothing was projected, nothing is recorded as redacted", () => {
  const permit = permitFor(targetOf(catalog, requestFor()), REDACT);
  const plain = { kind: "result", result: {} } as const;
  assert.equal(deliver(permit, plain, {}).decision, "allow");
  assert.equal(deliver({ ...permit, decision: "advisory_deny" }, plain, {}).decision, "advisory_deny");
});
