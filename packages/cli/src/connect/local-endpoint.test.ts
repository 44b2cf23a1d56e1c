import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { serveLocally } from "./local-endpoint.ts";

const EVENT = 'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/progress"}\n\n';
const ENDED = new CmcpError("SEAL_ANSWER_LOST", "the answer was lost; the call has ended");

/** Posts to an endpoint whose enclave sends one piece of an answer, and the rest is lost. */
async function posted(t: TestContext, type: string, body: string, thrown: Error = ENDED): Promise<Response> {
  const endpoint = await serveLocally(0, {
    gateway: new URL("http://gateway.test/"),
    token: null,
    connection: {
      fetch: async () => {
        let sent = false;
        const stream = new ReadableStream<Uint8Array>({
          pull: (controller) => {
            if (sent) controller.error(thrown);
            else controller.enqueue(Buffer.from(EVENT));
            sent = true;
          },
        });
        return await Promise.resolve(new Response(stream, { headers: { "content-type": type } }));
      },
    },
  });
  t.after(() => endpoint.close());
  return await fetch(`${endpoint.url}/mcp`, { method: "POST", body });
}

test("a stream of events whose last one is lost says what became of the call, as its answer", async (t) => {
  for (const id of [7, "seven"]) {
    const answer = await posted(t, "text/event-stream", JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call" }));
    const text = await answer.text();
    assert.ok(text.startsWith(EVENT));
    const last = JSON.parse(text.slice(EVENT.length).replace(/^\n\nevent: message\ndata: /, "")) as Record<
      string,
      unknown
    >;
    assert.deepEqual(last["id"], id);
    assert.partialDeepStrictEqual(last["error"], {
      code: -32_000,
      message: "SEAL_ANSWER_LOST: the answer was lost; the call has ended",
      data: { error_code: "SEAL_ANSWER_LOST" },
    });
  }
  const call = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call" });
  const cut = await posted(t, "text/event-stream", call, new TypeError("the connection was cut"));
  assert.match(
    await cut.text(),
    /"SEAL_OUTCOME_UNKNOWN: the request did not reach the enclave, or its answer was lost"/,
  );
});

test("what is no stream of events, or answers no request, is cut off: an end would say that it was whole", async (t) => {
  for (const [type, body] of [
    ["application/json", JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call" })],
    ["text/event-stream", JSON.stringify({ jsonrpc: "2.0", method: "notifications/x" })],
    ["text/event-stream", "no json"],
    ["text/event-stream", "[]"],
  ] as const) {
    const answer = await posted(t, type, body);
    await assert.rejects(answer.text(), TypeError, `${type} ${body}`);
  }
});
