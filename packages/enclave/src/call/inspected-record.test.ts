/** What the record says of messages before the result. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { agentPeer, inspectedPeer, sessionOf } from "../testing/calls.ts";
import { messagesCommitment } from "../testing/commitments.ts";

const FORM: JsonObject = {
  message: "Which year?",
  requestedSchema: { type: "object", properties: { year: { type: "integer" } }, required: ["year"] },
};
const LOG: JsonObject = { level: "info", data: "x" };

test("the transcript covers every message as the agent gets it, and the detail covers the agent's answers", async () => {
  const recorded = sessionOf();
  const commitments = recorded.commitments.ofCall("c");
  const { peer } = agentPeer({ progressToken: 3 }, () => ({ action: "accept", content: { year: 1 }, _meta: {} }));
  const inspected = inspectedPeer(peer, { commitments, maxBytes: 10_000 });
  assert.deepEqual(inspected.detail, {});
  await inspected.notify("notifications/message", { ...LOG, extra: 1 });
  await inspected.ask("elicitation/create", { ...FORM, extra: 1 });
  await inspected.notify("notifications/progress", { progress: 1 });
  await inspected.notify("notifications/unknown", {});
  const said = [
    { method: "notifications/message", params: LOG },
    { method: "elicitation/create", params: FORM },
    { method: "notifications/progress", params: { progress: 1, progressToken: 3 } },
  ];
  assert.equal(commitments.response.digest(), messagesCommitment(recorded, "c", "response", said));
  const sent = [
    { method: "notifications/message", params: { ...LOG, extra: 1 } },
    { method: "elicitation/create", params: { ...FORM, extra: 1 } },
    { method: "notifications/progress", params: { progress: 1 } },
    { method: "notifications/unknown", params: {} },
  ];
  assert.equal(commitments.upstream.digest(), messagesCommitment(recorded, "c", "upstream", sent));
  const answer = { action: "accept", content: { year: 1 } };
  assert.deepEqual(inspected.detail, {
    events_delivered: 2,
    questions_asked: 1,
    answers_payload_hash: messagesCommitment(recorded, "c", "answers", [{ method: "elicitation/create", answer }]),
  });
});

test("a message for which the agent has no room is in no transcript, and one that it has stays", async () => {
  const full = (): Promise<never> => Promise.reject(new CmcpError("OVERLOADED", "no room"));
  const gone = (): Promise<never> => Promise.reject(new CmcpError("REQUEST_CANCELLED", "gone"));
  const told = { method: "notifications/message", params: LOG };
  const asked = { method: "elicitation/create", params: FORM };
  for (const [fails, kept] of [
    [full, []],
    [gone, [told, asked]],
  ] as const) {
    const { peer } = agentPeer({ notify: fails, ask: fails });
    const recorded = sessionOf();
    const commitments = recorded.commitments.ofCall("c");
    const inspected = inspectedPeer(peer, { commitments });
    await assert.rejects(inspected.notify("notifications/message", LOG));
    await assert.rejects(inspected.ask("elicitation/create", FORM));
    assert.equal(commitments.response.digest(), messagesCommitment(recorded, "c", "response", kept));
    assert.equal(inspected.detail["questions_asked"], kept.length === 0 ? undefined : 1);
  }
});

test("a question without an answer is recorded as asked", async () => {
  const recorded = sessionOf();
  const commitments = recorded.commitments.ofCall("c");
  const { peer } = agentPeer({
    ask: () => Promise.reject(new CmcpError("REQUEST_CANCELLED", "gone")),
  });
  const inspected = inspectedPeer(peer, { commitments });
  await assert.rejects(inspected.ask("roots/list", {}), { code: "REQUEST_CANCELLED" });
  const asked = [{ method: "roots/list", params: {} }];
  assert.equal(commitments.response.digest(), messagesCommitment(recorded, "c", "response", asked));
  assert.deepEqual(inspected.detail, { questions_asked: 1 });
});
