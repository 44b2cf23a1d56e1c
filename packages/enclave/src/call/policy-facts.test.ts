import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentRequest } from "@cmcp/mcp";
import { callCatalog, targetOf } from "../testing/call-catalog.ts";
import { makeCall, gatewayWith, requestFor, sessionOf } from "../testing/calls.ts";
import { policyFacts, listingFacts, questionFacts, type GatewayFacts } from "./policy-facts.ts";
import { labelOf } from "../testing/labels.ts";

const catalog = callCatalog();
const gateway = gatewayWith();
const argument = { name: "who", value: "A" };

const factsFor = (rest: Partial<AgentRequest>, from = gateway) => {
  const request = requestFor(rest);
  return policyFacts(from, makeCall(request), targetOf(catalog, request));
};

test("rules see the action of each method, and the arguments that leave", () => {
  const tool = factsFor({ arguments: { q: "a" } });
  assert.ok("tool" in tool);
  assert.deepEqual([tool.action, tool.tool.toolName, tool.arguments], [undefined, "lookup", { q: "a" }]);
  const prompt = factsFor({ method: "prompts/get", name: "greeting", arguments: { who: "Ann" } });
  assert.ok("prompt" in prompt);
  assert.deepEqual([prompt.action, prompt.arguments], ["get_prompt", { who: "Ann" }]);
  for (const [method, action] of [
    ["resources/read", "read_resource"],
    ["resources/subscribe", "subscribe_resource"],
  ] as const) {
    const read = factsFor({ method, name: "note://by-id/7" });
    assert.ok("resource" in read);
    assert.deepEqual([read.action, [...read.resource.variables]], [action, [["id", "7"]]]);
  }
});

test("for a completion rules see its argument and the known ones, not the typed text", () => {
  const known = { tone: "dry" };
  const method = "completion/complete";
  const ofPrompt = factsFor({
    method,
    name: "greeting",
    completion: { reference: { type: "ref/prompt", name: "greeting" }, argument, known },
  });
  const uri = "note://by-id/{id}";
  const ofTemplate = factsFor({
    method,
    name: uri,
    completion: { reference: { type: "ref/resource", uri }, argument: { name: "id", value: "7" }, known: {} },
  });
  for (const [facts, seen] of [
    [ofPrompt, { argumentName: "who", known }],
    [ofTemplate, { argumentName: "id", known: {} }],
  ] as const) {
    assert.ok("completion" in facts);
    assert.deepEqual([facts.action, facts.completion], ["complete", seen]);
  }
});

test("rules see the session's labels, caller, workflow and gateway", () => {
  const recorded = sessionOf("bob");
  recorded.session.raise(labelOf("pii"));
  const request = requestFor({ workflowId: "billing" });
  const facts = policyFacts(gateway, makeCall(request, { recorded }), targetOf(catalog, request));
  assert.deepEqual(
    [facts.principal.id, facts.sessionId, facts.workflowId, facts.sessionSensitivity, facts.sessionMaxSensitivity],
    ["bob", recorded.session.id, "billing", "pii", "pii"],
  );
  assert.equal(facts.sensitivityLevelInt, gateway.vocabulary.rank("pii"));
  assert.deepEqual([facts.enforcementMode, facts.catalogHash], ["enforcing", catalog.hash]);
});

test("rules see the tools of a workflow: every tool if none are configured, none for an unknown workflow", () => {
  const found = (workflowId: string | null, workflowTools: GatewayFacts["workflowTools"]) =>
    factsFor({ workflowId }, { ...gateway, workflowTools }).workflowAllowedTools;
  assert.deepEqual(found("any", undefined), ["lookup", "person", "transfer", "unpinned"]);
  const tools = { billing: ["pay", "lookup"], default: [] };
  assert.deepEqual(found("billing", tools), ["pay", "lookup"]);
  for (const workflow of [null, "other", "constructor", "__proto__"])
    assert.deepEqual(found(workflow, tools), [], String(workflow));
});

test("a question is decided as one, about the call it belongs to", () => {
  const request = requestFor({ arguments: { q: "a" } });
  const facts = questionFacts(gateway, makeCall(request), targetOf(catalog, request), {
    method: "roots/list",
    answer: null,
  });
  assert.ok("tool" in facts);
  assert.deepEqual([facts.action, facts.requestMethod, facts.arguments], ["ask_client", "roots/list", { q: "a" }]);
});

test("a listing is decided at the lowest label and without arguments, whatever the session has seen", () => {
  const recorded = sessionOf();
  recorded.session.raise(labelOf("mnpi"));
  for (const [rest, action] of [
    [{ arguments: { q: "a" } }, undefined],
    [{ method: "prompts/get", name: "greeting", arguments: { who: "Ann" } }, "get_prompt"],
    [{ method: "resources/read", name: "note://all" }, "list_resource"],
  ] as const) {
    const request = requestFor(rest);
    const facts = listingFacts(gateway, makeCall(request, { recorded }), targetOf(catalog, request));
    assert.deepEqual(
      [facts.sessionSensitivity, facts.sessionMaxSensitivity, facts.sensitivityLevelInt, facts.action],
      ["public", "public", 0, action],
    );
    if ("arguments" in facts) assert.deepEqual(facts.arguments, {});
  }
});
