/** Requests that run: how many, under which ids, and what stops them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { webEndpoint, type WebEndpoint } from "../../testing/web-endpoint.ts";
import { ask, post, rpc, call, start, initialized, assertRefused, type Answer } from "../../testing/ask.ts";
import type { TestGateway } from "../../testing/gateway.ts";

/** A gateway whose calls end when aborted, or when the test releases them. */
function holding(): {
  gateway: TestGateway;
  endpoint: WebEndpoint;
  release: () => void;
  started: (count: number) => Promise<void>;
} {
  const { gateway } = start();
  const waiting: (() => void)[] = [];
  gateway.reply = (_, __, signal) =>
    new Promise((resolve) => {
      waiting.push(() => resolve({ kind: "result", result: { cancelled: false } }));
      signal.addEventListener("abort", () => resolve({ kind: "result", result: { cancelled: true } }));
    });
  const started = async (count: number): Promise<void> => {
    while (gateway.calls.length < count) await new Promise((resolve) => setImmediate(resolve));
  };
  const release = (): void => waiting.forEach((end) => end());
  return { gateway, endpoint: webEndpoint(gateway, { maxBodyBytes: 10_000, maxInFlight: 2 }), release, started };
}

test("an id that is still running is refused in its session, and free again afterwards", async () => {
  const { endpoint, release, started } = holding();
  const session = await initialized(endpoint);
  const first = ask(endpoint, post(call({}, 1), session));
  await started(1);
  assertRefused(await ask(endpoint, post(call({}, 1), session)), {
    status: 200,
    rpc: -32600,
    code: "MCP_INVALID_REQUEST",
    id: 1,
  });
  const asText = ask(endpoint, post(call({}, "1"), session));
  await started(2);
  release();
  assert.deepEqual([(await first).status, (await asText).body.id], [200, "1"]);
  assert.equal((await ask(endpoint, post(rpc("ping", undefined, 1), session))).body.error, undefined);
});

test("more requests than a session may run are refused, and other sessions are not affected", async () => {
  const { endpoint, release, started } = holding();
  const session = await initialized(endpoint);
  const running = [1, 2].map((id) => ask(endpoint, post(call({}, id), session)));
  await started(2);
  const refused = await ask(endpoint, post(call({}, 3), session));
  assert.deepEqual(
    [refused.status, refused.body.id, refused.body.result?._meta],
    [200, 3, { "cmcp.gateway/error": { code: "OVERLOADED", advice: "retry" } }],
  );
  assert.equal((await ask(endpoint, post(rpc("ping", undefined, 3), await initialized(endpoint)))).status, 200);
  release();
  await Promise.all(running);
});

test("notifications/cancelled stops that request of that session and no other", async () => {
  const { endpoint, release, started } = holding();
  const [mine, other] = [await initialized(endpoint), await initialized(endpoint)];
  const cancel = (headers: Record<string, string>, requestId: unknown): Promise<Answer> =>
    ask(endpoint, post({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId } }, headers));
  const target = ask(endpoint, post(call({}, 1), mine));
  const sibling = ask(endpoint, post(call({}, 2), mine));
  const foreign = ask(endpoint, post(call({}, 1), other));
  const single = ask(endpoint, post(call({}, 1)));
  await started(4);
  for (const requestId of ["1", 99, null, {}]) assert.equal((await cancel(mine, requestId)).status, 202);
  assert.equal((await cancel({}, 1)).status, 202);
  assert.equal((await cancel(mine, 1)).status, 202);
  assert.deepEqual((await target).body.result, { cancelled: true });
  release();
  for (const untouched of [sibling, foreign, single])
    assert.deepEqual((await untouched).body.result, { cancelled: false });
});

test("an agent that goes away aborts its call, with a session and without", async () => {
  const { endpoint, gateway, started } = holding();
  const headers = [await initialized(endpoint), {}];
  for (const [index, header] of headers.entries()) {
    const going = new AbortController();
    const answer = ask(endpoint, post(call(), header, going.signal));
    await started(index + 1);
    going.abort();
    assert.deepEqual((await answer).body.result, { cancelled: true });
  }
  assert.ok(gateway.calls.every(({ signal }) => signal.aborted));
});
