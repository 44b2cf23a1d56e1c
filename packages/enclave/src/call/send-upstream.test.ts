import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { silentPeer, type AgentRequest, type UpstreamAnswer } from "@cmcp/mcp";
import { callCatalog, targetOf } from "../testing/call-catalog.ts";
import {
  agentPeer,
  makeCall,
  inspectedPeer,
  permitFor,
  requestFor,
  sessionOf,
  taskState,
  upstreamStub,
} from "../testing/calls.ts";
import type { InspectedPeer } from "./inspected-peer.ts";
import type { Input } from "./resume-input.ts";
import { sendUpstream, upstreamRequest } from "./send-upstream.ts";
import { Tasks } from "./tasks.ts";

const catalog = callCatalog();
const DONE: UpstreamAnswer = { kind: "complete", result: { content: [] } };

interface Sending {
  readonly input?: Input;
  readonly peer?: InspectedPeer;
  readonly subscribe?: () => Promise<void>;
}

async function sending(
  rest: Partial<AgentRequest>,
  upstreams: ReturnType<typeof upstreamStub>,
  { input = null, peer = inspectedPeer(silentPeer(new AbortController().signal)), subscribe }: Sending = {},
) {
  const request = requestFor(rest);
  const permit = permitFor(targetOf(catalog, request));
  const unasked = (): Promise<void> => assert.fail("nothing is subscribed to");
  return await sendUpstream(
    makeCall(request),
    permit,
    { input, peer },
    { upstreams, subscribe: subscribe ?? unasked, search: async () => ({}) },
  );
}

test("a call goes out as decided, with its schema for the headers that repeat arguments", async () => {
  const upstreams = upstreamStub(() => DONE);
  const step = await sending({ arguments: { q: "a" }, workflowId: "w", dataClass: "pii", requestId: 7 }, upstreams);
  assert.deepEqual(step, { kind: "continue", value: DONE });
  const { inputSchema } = catalog.tools.get("lookup") ?? {};
  assert.deepEqual(upstreams.sent, [
    { method: "tools/call", params: { name: "lookup", arguments: { q: "a" } }, inputSchema },
  ]);
});

test("of a request's metadata the trace context goes with it", async () => {
  const upstreams = upstreamStub(() => DONE);
  await sending({ trace: { traceparent: "00" } }, upstreams);
  assert.deepEqual(upstreams.sent[0]?.params["_meta"], { traceparent: "00" });
});

test("a wish for a task goes with the time it is wished for, and what is asked of a task by the server's id", () => {
  const permit = permitFor(targetOf(catalog, requestFor()));
  const params = (request: AgentRequest) => upstreamRequest(makeCall(request), permit, null).params;
  assert.deepEqual(params(requestFor({ task: { ttlMs: null } }))["task"], {});
  assert.deepEqual(params(requestFor({ task: { ttlMs: 5 } }))["task"], { ttl: 5 });
  const [tasks, recorded] = [new Tasks(() => 0), sessionOf()];
  const { id } = tasks.reserve(recorded.session, requestFor()).commit(taskState());
  const about = (method: AgentRequest["method"], input: Input) =>
    upstreamRequest(makeCall(requestFor({ method, name: id }), { tasks, recorded }), permit, input).params;
  assert.deepEqual(about("tasks/get", null), { taskId: "theirs" });
  assert.deepEqual(about("tasks/result", null), { taskId: "theirs" });
  assert.deepEqual(about("tasks/update", { responses: { a: {} }, state: null }), {
    taskId: "theirs",
    inputResponses: { a: {} },
  });
});

test("the input that leaves is the rebuilt one, not what the agent sent", async () => {
  const upstreams = upstreamStub(() => DONE);
  const agents = { responses: { a: { action: "accept", extra: 1 } }, state: "sealed" };
  await sending({ input: agents }, upstreams, { input: { responses: { a: { action: "accept" } }, state: "theirs" } });
  const { inputResponses, requestState } = upstreams.sent[0]?.params ?? {};
  assert.deepEqual([inputResponses, requestState], [{ a: { action: "accept" } }, "theirs"]);
});

test("a subscription goes the subscriber's way, and is acknowledged in no words of the server's", async () => {
  const upstreams = upstreamStub(() => DONE);
  let asked = 0;
  const subscribe = async (): Promise<void> => void (asked += 1);
  const step = await sending({ method: "resources/subscribe", name: "note://all" }, upstreams, { subscribe });
  assert.deepEqual(step, { kind: "continue", value: { kind: "complete", result: {} } });
  assert.deepEqual([asked, upstreams.sent], [1, []]);
});

test("nothing is sent for a caller that has gone", async () => {
  const upstreams = upstreamStub(() => DONE);
  const gone = inspectedPeer(silentPeer(AbortSignal.abort()));
  const step = await sending({}, upstreams, { peer: gone });
  assert.ok(step.kind === "ending" && step.outcome.kind === "error");
  assert.deepEqual([step.outcome.code, step.sent, upstreams.sent], ["REQUEST_CANCELLED", false, []]);
});

test("a caller that goes while the server works is why the call ended, however that showed", async () => {
  const controller = new AbortController();
  const upstreams = upstreamStub(() => {
    controller.abort();
    throw new CmcpError("UPSTREAM_TIMEOUT", "no", { detail: { sent: 1 } });
  });
  const step = await sending({}, upstreams, { peer: inspectedPeer(silentPeer(controller.signal)) });
  assert.ok(step.kind === "ending" && step.outcome.kind === "error");
  assert.deepEqual([step.outcome.code, step.sent], ["REQUEST_CANCELLED", true]);
});

test("a server that says too much before its result is why the call ended", async () => {
  const peer = inspectedPeer(agentPeer({ wantsLog: true }).peer, { maxBytes: 10 });
  const upstreams = upstreamStub(async (_, told) => {
    await told.notify("notifications/message", { level: "info", data: "x".repeat(20) });
    return DONE;
  });
  const step = await sending({}, upstreams, { peer });
  assert.ok(step.kind === "ending" && step.outcome.kind === "error");
  assert.deepEqual([step.outcome.code, step.sent], ["RESPONSE_SIZE_EXCEEDED", true]);
});
