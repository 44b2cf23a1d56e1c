/** What reaches an agent of the messages that a server sends before its result. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalText, type JsonObject } from "@cmcp/boundary";
import { readClientCapabilities } from "@cmcp/mcp";
import { agentPeer, inspectedPeer } from "../testing/calls.ts";

const FORM: JsonObject = {
  message: "Which year?",
  requestedSchema: { type: "object", properties: { year: { type: "integer" } }, required: ["year"] },
};
const LOG: JsonObject = { level: "info", data: "x" };
const RELATED = "io.modelcontextprotocol/related-task";

test("the entry names each server that the requests went to once, and at most sixteen", () => {
  const inspected = inspectedPeer();
  assert.deepEqual(inspected.detail, {});
  const server = { trust: "webpki", key: "SHA256:a", issuerKey: "SHA256:i" } as const;
  for (const found of [server, { ...server, key: "SHA256:b" }, server]) inspected.authenticated(found);
  assert.deepEqual(inspected.detail, {
    server_authentication: "webpki",
    server_key: "SHA256:a,SHA256:b",
    server_issuer_key: "SHA256:i,SHA256:i",
  });
  for (let more = 0; more < 100; more += 1) inspected.authenticated({ ...server, key: `SHA256:${more}` });
  assert.equal(inspected.detail["server_key"].split(",").length, 16);
});

test("an agent's wish for log messages reaches the server where nothing is redacted", () => {
  for (const wantsLog of [true, false]) assert.equal(inspectedPeer(agentPeer({ wantsLog }).peer).wantsLog, wantsLog);
});

test("a server's questions and notifications are rebuilt from the shape of their method", async () => {
  const { peer, heard } = agentPeer({ progressToken: 5 });
  const inspected = inspectedPeer(peer, { maxBytes: 10_000 });
  await inspected.ask("elicitation/create", { ...FORM, _meta: { a: "SECRET" }, extra: "SECRET" });
  await inspected.notify("notifications/message", { ...LOG, _meta: { a: "SECRET" }, extra: "SECRET" });
  await inspected.notify("notifications/progress", { progress: 1, progressToken: "SECRET", extra: "SECRET" });
  await inspected.notify("notifications/SECRET", { a: "SECRET" });
  assert.deepEqual(heard, [
    ["elicitation/create", FORM],
    ["notifications/message", LOG],
    ["notifications/progress", { progress: 1, progressToken: 5 }],
  ]);
  for (const method of ["tools/call", "constructor", ""])
    await assert.rejects(inspected.ask(method, {}), { code: "UPSTREAM_PROTOCOL_ERROR", detail: { sent: 1 } });
});

test("only progress carries the agent's token, and an agent without a token gets none", async () => {
  const progress = { progress: 1, progressToken: "servers" };
  for (const [progressToken, expected] of [
    [
      "agents",
      [
        ["notifications/message", LOG],
        ["notifications/progress", { progress: 1, progressToken: "agents" }],
      ],
    ],
    [
      0,
      [
        ["notifications/message", LOG],
        ["notifications/progress", { progress: 1, progressToken: 0 }],
      ],
    ],
    [null, [["notifications/message", LOG]]],
  ] as const) {
    const { peer, heard } = agentPeer({ progressToken });
    const inspected = inspectedPeer(peer);
    await inspected.notify("notifications/message", { ...LOG, progressToken: "servers" });
    await inspected.notify("notifications/progress", progress);
    assert.deepEqual(heard, expected);
  }
});

test("messages about a task name only the agent's task id", async () => {
  const { peer, heard } = agentPeer();
  const inspected = inspectedPeer(peer, { taskId: "agents" });
  const meta = { _meta: { [RELATED]: { taskId: "theirs" } } };
  await inspected.notify("notifications/message", { ...LOG, ...meta });
  await inspected.ask("elicitation/create", { ...FORM, ...meta });
  const related = { _meta: { [RELATED]: { taskId: "agents" } } };
  assert.deepEqual(heard, [
    ["notifications/message", { ...LOG, ...related }],
    ["elicitation/create", { ...FORM, ...related }],
  ]);
});

test("what policy does not let be delivered before the result is dropped, and such a question is not asked", async () => {
  const { peer, heard } = agentPeer();
  const offered: JsonObject[] = [];
  const delivery = {
    permits: (message: JsonObject): boolean => {
      offered.push(message);
      return false;
    },
  };
  for (const mode of ["buffered", "async"] as const) {
    const inspected = inspectedPeer(peer, { delivery, mode });
    await inspected.notify("notifications/message", LOG);
    await assert.rejects(inspected.ask("elicitation/create", FORM), { code: "RESULT_WITHHELD", detail: { sent: 1 } });
    const form = { method: "elicitation/create", params: FORM };
    assert.throws(() => inspected.permitInputRequests({ a: form }), { code: "RESULT_WITHHELD" });
    assert.deepEqual(inspected.detail, {});
  }
  assert.deepEqual(heard, []);
  assert.equal(offered.length, 6, "each was decided");
});

test("where fields are redacted, a server can send progress numbers and ask for roots, but no text", async () => {
  const { peer, heard } = agentPeer({ progressToken: 1, wantsLog: true }, () => ({ roots: [] }));
  const inspected = inspectedPeer(peer, { withholdText: true });
  assert.equal(inspected.wantsLog, false);
  await inspected.notify("notifications/message", LOG);
  await inspected.notify("notifications/progress", { progress: 1, message: "SECRET" });
  await assert.rejects(inspected.ask("elicitation/create", FORM), { code: "POLICY_DENY", detail: { sent: 1 } });
  assert.throws(() => inspected.permitInputRequests({ a: { method: "elicitation/create", params: FORM } }), {
    code: "POLICY_DENY",
  });
  await inspected.ask("roots/list", { words: "SECRET" });
  assert.deepEqual(heard, [
    ["notifications/progress", { progress: 1, progressToken: 1 }],
    ["roots/list", {}],
  ]);
});

test("messages over the size limit end the call, at the server too, in the order of the inspection mode", async () => {
  const many = { level: "info", data: "x".repeat(60) };
  for (const [mode, delivered] of [
    ["buffered", 1],
    ["async", 2],
  ] as const) {
    const { peer, heard } = agentPeer();
    const inspected = inspectedPeer(peer, { maxBytes: 150, mode });
    await inspected.notify("notifications/message", many);
    await assert.rejects(inspected.notify("notifications/message", many), { code: "RESPONSE_SIZE_EXCEEDED" });
    assert.deepEqual(
      [heard.length, inspected.signal.aborted, inspected.violation?.code],
      [delivered, true, "RESPONSE_SIZE_EXCEEDED"],
    );
  }
  const bytes = canonicalText(LOG).length;
  await inspectedPeer(agentPeer().peer, { maxBytes: bytes }).notify("notifications/message", LOG);
  await assert.rejects(inspectedPeer(agentPeer().peer, { maxBytes: bytes - 1 }).notify("notifications/message", LOG), {
    code: "RESPONSE_SIZE_EXCEEDED",
  });
  const { peer, heard } = agentPeer();
  const asked = inspectedPeer(peer, { maxBytes: 10 });
  await assert.rejects(asked.ask("elicitation/create", FORM), { code: "RESPONSE_SIZE_EXCEEDED" });
  assert.deepEqual(heard, [], "questions count too");
});

test("a server sees the agent's task capability only if its answer may become a task, and all other capabilities", () => {
  const capabilities = readClientCapabilities({ roots: {}, extensions: { "io.modelcontextprotocol/tasks": {} } });
  const { peer } = agentPeer({ capabilities, logLevel: "error", era: "legacy", progressToken: 9 });
  assert.deepEqual(inspectedPeer(peer, { mayBecomeTask: true }).capabilities, capabilities);
  const plain = inspectedPeer(peer);
  assert.deepEqual(plain.capabilities, { roots: {} });
  assert.deepEqual([plain.era, plain.logLevel, plain.progressToken, plain.input], ["legacy", "error", 9, "ask"]);
  const result: JsonObject = { a: 1 };
  assert.deepEqual(plain.present({ kind: "result", result }), peer.present({ kind: "result", result }));
});

test("a caller that goes away aborts the call at the server, until the server has answered", () => {
  const [going, answered] = [new AbortController(), new AbortController()];
  const [aborted, released] = [going, answered].map(({ signal }) => inspectedPeer(agentPeer({ signal }).peer));
  going.abort();
  released?.release();
  answered.abort();
  assert.deepEqual([aborted?.signal.aborted, released?.signal.aborted], [true, false]);
});
