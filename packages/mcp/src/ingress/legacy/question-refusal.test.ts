import assert from "node:assert/strict";
import { test } from "node:test";
import { alice, call, initialized, post, start } from "../../testing/ask.ts";
import { messages } from "../../testing/event-stream.ts";
import { UpstreamRefusal } from "../../upstream/refusal.ts";
import { PendingQuestions } from "./pending-questions.ts";
import { ReplyStream } from "../reply-stream.ts";
import { questionRefusal } from "./question-refusal.ts";

test("an agent's refusal of a question reaches the server as one of four, in the gateway's words", () => {
  const errors = [-1, -32601, -32602, -32603, 7, 0, Number.MAX_SAFE_INTEGER, -32000].map((code) => {
    const { rpcCode, rpcMessage, rpcData } = questionRefusal(code);
    return [rpcCode, rpcMessage, rpcData];
  });
  const unanswered = [-32603, "the client did not answer", undefined];
  assert.deepEqual(errors, [
    [-1, "the user rejected the request", undefined],
    [-32601, "method not supported", undefined],
    [-32602, "invalid parameters", undefined],
    ...Array.from({ length: 5 }, () => unanswered),
  ]);
});

test("an agent's own words on why it does not answer end at the gateway", async () => {
  const questions = new PendingQuestions();
  const stream = new ReplyStream(() => undefined);
  const refused = questions.ask(stream, "elicitation/create", { message: "name?" }, []).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  const { body } = await stream.response;
  assert.ok(body !== null && typeof body !== "string");
  for await (const event of body) {
    const id = /"id":"([^"]+)"/.exec(Buffer.from(event).toString())?.[1] ?? "";
    questions.takeAnswer({ kind: "failure", id, error: { code: 4711, message: "secret", data: { secret: 1 } } });
    break;
  }
  const thrown = await refused;
  assert.ok(thrown instanceof UpstreamRefusal);
  assert.deepEqual(
    [thrown.rpcCode, thrown.rpcMessage, thrown.rpcData],
    [-32603, "the client did not answer", undefined],
  );
});

test("an answer goes to the question it names and to no question of another request or session", async () => {
  const { gateway, endpoint } = start();
  const accept = { accept: "application/json, text/event-stream" };
  const open = async (): Promise<Record<string, string>> => ({ ...accept, ...(await initialized(endpoint)) });
  gateway.reply = async (_call, _session, _signal, peer) => ({
    kind: "result",
    result: await peer.ask("elicitation/create", { message: "?" }),
  });
  const elicits = async (): Promise<Record<string, string>> => {
    const params = {
      protocolVersion: "2025-11-25",
      capabilities: { elicitation: {} },
      clientInfo: { name: "agent", version: "1" },
    };
    const response = await endpoint(post({ jsonrpc: "2.0", id: 0, method: "initialize", params }), alice);
    return { ...accept, "mcp-session-id": response.headers.get("mcp-session-id") ?? "" };
  };
  const [mine, stranger] = [await elicits(), await open()];
  const streams = await Promise.all(
    [1, 2].map(async (id) => messages(await endpoint(post(call({}, id), mine), alice))),
  );
  const questions = await Promise.all(streams.map(async (stream) => (await stream.next()).value));
  const answer = (headers: Record<string, string>, id: unknown, to: number): Promise<Response> =>
    endpoint(post({ jsonrpc: "2.0", id, result: { to } }, headers), alice);
  // From another session, to an id of the agent's own, and to one that nobody asked: nothing is answered.
  assert.equal((await answer(stranger, questions[0]?.id, 9)).status, 202);
  await answer(mine, 1, 9);
  await answer(mine, "00000000-0000-4000-8000-000000000000", 9);
  await answer(mine, questions[1]?.id, 2);
  await answer(mine, questions[1]?.id, 9);
  await answer(mine, questions[0]?.id, 1);
  assert.deepEqual(await Promise.all(streams.map(async (stream) => (await stream.next()).value?.result)), [
    { to: 1 },
    { to: 2 },
  ]);
});
