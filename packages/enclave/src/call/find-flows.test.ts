import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentRequest } from "@cmcp/mcp";
import type { CompiledPolicy, FlowFacts, GovernedFacts } from "@cmcp/policy";
import type { Flow } from "@cmcp/flows";
import { callCatalog, targetOf } from "../testing/call-catalog.ts";
import { deciderOf, makeCall, policyStub, requestFor, sessionOf } from "../testing/calls.ts";
import type { Call } from "./call.ts";
import { findFlows, flowDetail, flowFacts, keepDelivered } from "./find-flows.ts";
import { labelOf } from "../testing/labels.ts";
import { RecordedSession } from "../record/recorded-session.ts";
import { SessionChain } from "@cmcp/audit";
import { SessionTable, Vocabulary } from "@cmcp/session";

const catalog = callCatalog();
const TEXT = "the quick brown fox of record KX-4482913 jumps over the lazy dog";
const person = targetOf(catalog, requestFor({ name: "person" }));
const LABEL = { compartments: ["pii"], integrity: "trusted" } as const;

/** A policy whose rules read `context.flow_labels`, and the flows it was asked with. */
function readingPolicy(): { readonly policy: CompiledPolicy; readonly asked: FlowFacts[] } {
  const asked: FlowFacts[] = [];
  const policy = policyStub(
    ({ flows }: GovernedFacts) => {
      asked.push(flows);
      return { decision: flows.flows.length > 0 ? "deny" : "allow" };
    },
    { reads: (variable, attribute) => variable === "context" && attribute === "flow_labels" },
  );
  return { policy, asked };
}

/** A session that was handed {@link TEXT} by the tool `person`. */
function readingSession() {
  const recorded = sessionOf();
  const { policy, asked } = readingPolicy();
  const call = (rest: Partial<AgentRequest> = {}): Call => makeCall(requestFor(rest), { recorded, policy });
  keepDelivered(call({ name: "person" }), person, LABEL, { text: TEXT });
  recorded.session.raise(LABEL);
  return { recorded, call, asked };
}

test("everything that the agent chooses is compared: arguments, URIs, completions and answers", () => {
  const { call } = readingSession();
  const completion: AgentRequest["completion"] = {
    reference: { type: "ref/prompt", name: "greeting" },
    argument: { name: "who", value: TEXT },
    known: {},
  };
  for (const [rest, path] of [
    [{ arguments: { q: TEXT } }, "/arguments/q"],
    [{ method: "resources/read", name: `note://by-id/${TEXT}` }, "/uri"],
    [{ method: "completion/complete", completion }, "/completion/argument/value"],
    [{ input: { state: null, responses: { one: { content: { q: TEXT } } } } }, "/answers/one/content/q"],
  ] as const)
    assert.equal(findFlows(call(rest))?.flows[0]?.path, path);
  assert.equal(findFlows({ ...call(), answer: { content: { q: TEXT } } })?.flows[0]?.path, "/answer/content/q");
  assert.deepEqual(findFlows(call({ name: TEXT })), { flows: [], complete: true }, "a tool's name is the catalog's");
});

test("nothing is compared or kept where no rule reads a flow, and what was skipped makes later answers incomplete", () => {
  const recorded = sessionOf();
  const { policy } = readingPolicy();
  const unread = makeCall(requestFor({ arguments: { q: TEXT } }), { recorded });
  assert.equal(findFlows(unread), null);
  assert.equal(recorded.session.flowsCompared, false);
  keepDelivered(unread, person, LABEL, TEXT);
  const later = findFlows(makeCall(requestFor({ arguments: { q: TEXT } }), { recorded, policy }));
  assert.deepEqual(later, { flows: [], complete: false });
  assert.ok(recorded.session.flowsCompared);
});

test("data of a compartment that another session saw makes the answer incomplete, also of the same compartment", () => {
  const vocabulary = new Vocabulary();
  const table = new SessionTable({ vocabulary, maxSessions: 4, maxPerPrincipal: 4, idleMs: 1e6, floorMs: 1e6 });
  const [session, other] = [table.openByLabel("alice", null), table.openByLabel("alice", "other")];
  const recorded = new RecordedSession(session, new SessionChain(session.id), {});
  const call = makeCall(requestFor(), { recorded, policy: readingPolicy().policy });
  session.raise(labelOf("pii"));
  assert.equal(findFlows(call)?.complete, true);
  other.raise(labelOf("pii"));
  assert.equal(findFlows(call)?.complete, false);
});

test("what a call sent is no flow from its own result", () => {
  const recorded = sessionOf();
  const { policy } = readingPolicy();
  const call = makeCall(requestFor({ name: "person", arguments: { q: TEXT } }), { recorded, policy });
  keepDelivered(call, person, LABEL, { text: `You asked for ${TEXT}` });
  assert.deepEqual(findFlows(call)?.flows, []);
});

test("rules get the flows of a call, a refusal has them in its detail, and so has a permit", () => {
  const { call, asked } = readingSession();
  const refused = deciderOf().decide(call({ arguments: { q: TEXT } }));
  assert.ok(refused.kind === "ending");
  assert.equal(refused.detail["flow_edges"], 2);
  assert.match(String(refused.detail["flow_from"]), /^notes\/person:exact:100,notes\/person:fingerprint:\d+$/);
  assert.deepEqual(asked[0]?.flows[0], {
    sourceServer: "notes",
    sourceTool: "person",
    labels: ["pii"],
    kind: "exact",
    path: "/arguments/q",
    coverage: 100,
  });
  const permitted = deciderOf().decide(call({ arguments: { q: "hello" } }));
  assert.ok(permitted.kind === "continue");
  assert.deepEqual(permitted.value.detail, {});
  const advised = deciderOf("silent").decide(call({ arguments: { q: TEXT } }));
  assert.ok(advised.kind === "continue");
  assert.equal(advised.value.detail?.["flow_edges"], 2);
});

test("a question is decided with the flows of its call, and with those of its answer", () => {
  const { call, asked } = readingSession();
  const decider = deciderOf();
  decider.decideQuestion(call({ arguments: { q: TEXT } }), person, { method: "roots/list", answer: null });
  decider.decideQuestion({ ...call(), answer: { q: TEXT } }, person, { method: "roots/list", answer: null });
  decider.decideQuestion(call(), person, { method: "roots/list", answer: null });
  assert.deepEqual(
    asked.map(({ flows }) => flows[0]?.path),
    ["/arguments/q", "/answer/q", undefined],
  );
});

test("lists are made as for a session that was handed nothing", () => {
  const { recorded, call, asked } = readingSession();
  recorded.flows.skip();
  assert.ok(deciderOf().isListed(call({ arguments: { q: TEXT } }), person).listed);
  assert.deepEqual(asked, [{ flows: [], complete: true }]);
});

test("the texts of facts and entries are bounded and well-formed", () => {
  const flow: Flow = {
    source: { server: "s".repeat(100), tool: "t", labels: [] },
    kind: "exact",
    path: `/${"\u{1f600}".repeat(100)}`,
    coverage: 1,
  };
  const found = { flows: Array.from({ length: 64 }, () => flow), complete: true };
  assert.ok(flowFacts(found).flows.every(({ path }) => path.length <= 128 && path.isWellFormed()));
  const { flow_edges: edges, flow_from: from } = flowDetail(found);
  assert.deepEqual([edges, String(from).length], [64, 512]);
  assert.deepEqual(flowDetail({ flows: [], complete: false }), {});
});
