import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { UpstreamRefusal, type UpstreamAnswer } from "@cmcp/mcp";
import { agentPeer } from "../testing/calls.ts";
import { sendWithInput } from "./send-with-input.ts";
import type { Input } from "./resume-input.ts";

const DONE: UpstreamAnswer = { kind: "complete", result: {} };
const ROOTS: JsonObject = { method: "roots/list", params: {} };

function needs(inputRequests: JsonObject | null, requestState: string | null = null): UpstreamAnswer {
  return { kind: "input_required", inputRequests, requestState };
}

/** A server that answers in turn, and what was sent to it. */
function inTurn(...answers: readonly UpstreamAnswer[]) {
  const sent: Input[] = [];
  const send = async (input: Input): Promise<UpstreamAnswer> => {
    sent.push(input);
    return answers[sent.length - 1] ?? DONE;
  };
  return { send, sent };
}

const ANSWER: JsonObject = { roots: [] };

test("an agent that can be asked answers while the server waits, under the server's ids and state", async () => {
  const { send, sent } = inTurn(needs({ a: ROOTS }, "s1"), needs(null, "s2"));
  const { peer, heard } = agentPeer({}, () => ANSWER);
  assert.deepEqual(await sendWithInput(send, peer, null), DONE);
  assert.deepEqual(sent, [null, { responses: { a: ANSWER }, state: "s1" }, { responses: null, state: "s2" }]);
  assert.deepEqual(heard, [["roots/list", {}]]);
});

test("an agent that sends its request again is given the need itself", async () => {
  const need = needs({ a: ROOTS });
  const { send, sent } = inTurn(need);
  assert.equal(await sendWithInput(send, agentPeer({ input: "retry" }).peer, null), need);
  assert.equal(sent.length, 1);
});

test("an agent that cannot be asked, or not for this, ends the call", async () => {
  const failing = (request: JsonObject | string, rest = {}) =>
    sendWithInput(inTurn(needs({ a: request })).send, agentPeer(rest).peer, null);
  for (const [request, rest] of [
    [ROOTS, { input: "none" }],
    [ROOTS, { capabilities: {} }],
    [{ method: "tools/call" }, {}],
    [{ method: "constructor" }, {}],
    [{ method: 1 }, {}],
    ["text", {}],
  ] as const)
    await assert.rejects(failing(request, rest), { code: "UPSTREAM_INPUT_REQUIRED", detail: { sent: 1 } });
});

test("an agent that refuses to answer ends a call that the server has", async () => {
  const { peer } = agentPeer({}, () => {
    throw new UpstreamRefusal({ code: -32_000, message: "no", data: null });
  });
  await assert.rejects(sendWithInput(inTurn(needs({ a: ROOTS })).send, peer, null), {
    code: "UPSTREAM_INPUT_REQUIRED",
    detail: { sent: 1 },
  });
});

test("a server asks so many times, and for so much at once", async () => {
  const endless = inTurn(...Array.from({ length: 20 }, () => needs(null)));
  const refusal = { code: "UPSTREAM_PROTOCOL_ERROR", detail: { sent: 1 } };
  await assert.rejects(sendWithInput(endless.send, agentPeer().peer, null), refusal);
  assert.equal(endless.sent.length, 9);
  const asking = (count: number) =>
    sendWithInput(
      inTurn(needs(Object.fromEntries(Array.from({ length: count }, (_, n) => [`q${n}`, ROOTS])))).send,
      agentPeer().peer,
      null,
    );
  assert.deepEqual(await asking(16), DONE);
  await assert.rejects(asking(17), refusal);
});
