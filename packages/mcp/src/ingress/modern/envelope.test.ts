import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject, JsonValue } from "@cmcp/boundary";
import * as fc from "fast-check";
import { SUPPORTED_VERSIONS } from "../../index.ts";
import { modernRequest, type ChangeListeners } from "../../testing/modern-request.ts";
import {
  ask,
  assertRefused,
  call,
  CAPABILITIES,
  INFO,
  INVALID_PARAMS,
  INVALID_REQUEST,
  LOG_LEVEL,
  MISMATCH,
  raw,
  start,
  VERSION,
} from "../../testing/modern-ingress.ts";

test("clientInfo may be left out, and other metadata stand beside the envelope", async () => {
  const { endpoint } = start();
  assert.equal((await ask(endpoint, call({ meta: { [INFO]: undefined, traceparent: "00-x" } }))).status, 200);
});

const envelopes: Record<string, { meta: NonNullable<ChangeListeners["meta"]>; key: string; problem?: string }> = {
  "no version": { meta: { [VERSION]: undefined }, key: VERSION, problem: "is missing" },
  "a version that is no string": { meta: { [VERSION]: 20260728 }, key: VERSION },
  "no capabilities": { meta: { [CAPABILITIES]: undefined }, key: CAPABILITIES, problem: "is missing" },
  "capabilities that are no object": { meta: { [CAPABILITIES]: [] }, key: CAPABILITIES },
  "a client without a version": { meta: { [INFO]: { name: "agent" } }, key: INFO },
  "a client with an endless name": { meta: { [INFO]: { name: "x".repeat(257), version: "1" } }, key: INFO },
  "a client that is no object": { meta: { [INFO]: "agent" }, key: INFO },
  "an unknown log level": { meta: { [LOG_LEVEL]: "loud" }, key: LOG_LEVEL },
  "only a client": { meta: { [VERSION]: undefined, [CAPABILITIES]: undefined }, key: VERSION },
  "only capabilities": { meta: { [VERSION]: undefined, [INFO]: undefined }, key: VERSION },
};
for (const [name, { meta, key, problem }] of Object.entries(envelopes)) {
  test(`an envelope with ${name} is -32602 that names the key, with and without the modern header`, async () => {
    const { endpoint, gateway } = start();
    for (const headers of [{}, { "mcp-protocol-version": null, "mcp-method": null, "mcp-name": null }]) {
      for (const request of [call({ meta, headers }), modernRequest("server/discover", { meta, headers })]) {
        const answer = await ask(endpoint, request);
        assertRefused(answer, INVALID_PARAMS);
        const named = answer.body.error?.data.envelope as JsonObject | undefined;
        assert.deepEqual([named?.key, named?.problem], [key, problem ?? named?.problem]);
      }
    }
    assert.equal(gateway.calls.length, 0);
  });
}

test("a request without an envelope is refused where its header or method says that it is modern", async () => {
  const { endpoint, gateway } = start();
  const modern = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "tool" };
  const bare = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "tool" } };
  for (const request of [
    raw(bare, modern),
    raw({ ...bare, params: { name: "tool", _meta: {} } }, modern),
    raw({ ...bare, params: { name: "tool", _meta: "x" } }, modern),
    raw({ jsonrpc: "2.0", id: 1, method: "server/discover" }),
    raw({ jsonrpc: "2.0", id: 1, method: "subscriptions/listen", params: {} }),
  ]) {
    assertRefused(await ask(endpoint, request), INVALID_PARAMS);
  }
  assert.equal(gateway.calls.length, 0);
  assert.equal((await ask(endpoint, raw(bare))).status, 200, "the single POST without an envelope stays what it was");
});

test("a version that is not spoken is -32022 with those that are; a legacy version takes no envelope", async () => {
  const { endpoint, gateway } = start();
  for (const version of ["v999.0.0", "2027-01-01", "2024-11-05"]) {
    const answer = await ask(
      endpoint,
      call({ meta: { [VERSION]: version }, headers: { "mcp-protocol-version": version } }),
    );
    assertRefused(answer, { status: 400, rpc: -32022, code: "NOT_SUPPORTED" });
    assert.deepEqual(
      [answer.body.error?.data.supported, answer.body.error?.data.requested],
      [[...SUPPORTED_VERSIONS], version],
    );
  }
  const unreadable = await ask(
    endpoint,
    call({ meta: { [VERSION]: "<b>" }, headers: { "mcp-protocol-version": "<b>" } }),
  );
  assert.equal(unreadable.body.error?.data.requested, "(unreadable)");
  const legacy = await ask(
    endpoint,
    call({ meta: { [VERSION]: "2025-11-25" }, headers: { "mcp-protocol-version": "2025-11-25" } }),
  );
  assertRefused(legacy, INVALID_PARAMS);
  assert.match(legacy.body.error?.message ?? "", /2025-11-25 has no envelope/);
  assert.equal(gateway.calls.length, 0);
});

test("eras do not mix: each mixture has its own refusal, and nothing of it runs", async () => {
  const { endpoint, gateway } = start();
  const initialize = {
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "agent", version: "1" } },
  };
  const opened = await ask(endpoint, raw(initialize));
  const session = { "mcp-session-id": opened.headers.get("mcp-session-id") ?? "" };
  assertRefused(
    await ask(endpoint, call({ headers: session })),
    INVALID_REQUEST,
    "a modern request in a legacy session",
  );
  assertRefused(
    await ask(endpoint, call({ headers: { "mcp-session-id": "unknown" } })),
    INVALID_REQUEST,
    "a modern request in an unknown session",
  );
  assertRefused(
    await ask(endpoint, raw(initialize, { "mcp-protocol-version": "2026-07-28" })),
    MISMATCH,
    "initialize under the modern header",
  );
  assertRefused(
    await ask(
      endpoint,
      raw({ jsonrpc: "2.0", id: 1, method: "ping" }, { ...session, "mcp-protocol-version": "2026-07-28" }),
    ),
    INVALID_PARAMS,
    "a legacy request under the modern header",
  );
  for (const reply of [{ result: {} }, { error: { code: 1, message: "" } }]) {
    assertRefused(
      await ask(endpoint, raw({ jsonrpc: "2.0", id: 1, ...reply }, { "mcp-protocol-version": "2026-07-28" })),
      INVALID_REQUEST,
      "an answer to nothing",
    );
  }
  assert.equal(gateway.calls.length, 0);
  assert.equal(gateway.open.size, 1);
  const still = await ask(endpoint, raw({ jsonrpc: "2.0", id: 2, method: "ping" }, session));
  assert.deepEqual(still.body.result, {}, "the legacy session goes on");
});

test("property: an envelope of any shape is answered once, and a call runs only under one that is whole", async () => {
  const { endpoint, gateway } = start();
  const json = fc
    .jsonValue({ maxDepth: 2 })
    .filter((value) => !JSON.stringify(value).includes("__proto__")) as fc.Arbitrary<JsonValue>;
  const part = (good: JsonValue): fc.Arbitrary<JsonValue | undefined> =>
    fc.oneof({ weight: 4, arbitrary: fc.constant(good) }, fc.constant(undefined), json);
  const meta = fc.record({
    [VERSION]: part("2026-07-28"),
    [INFO]: part({ name: "a", version: "1" }),
    [CAPABILITIES]: part({}),
    [LOG_LEVEL]: part("info"),
  });
  const isObject = (value: JsonValue | undefined): value is JsonObject =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  await fc.assert(
    fc.asyncProperty(meta, fc.constantFrom("2026-07-28", "2025-11-25", null), async (envelope, header) => {
      const before = gateway.calls.length;
      const info = envelope[INFO];
      const whole =
        envelope[VERSION] === "2026-07-28" &&
        isObject(envelope[CAPABILITIES]) &&
        (info === undefined || (isObject(info) && typeof info.name === "string" && typeof info.version === "string")) &&
        (envelope[LOG_LEVEL] === undefined || envelope[LOG_LEVEL] === "info");
      const claimed = [envelope[VERSION], info, envelope[CAPABILITIES]].some((value) => value !== undefined);
      const { status, body } = await ask(
        endpoint,
        call({ meta: envelope, headers: { "mcp-protocol-version": header } }),
      );
      const runs = claimed ? whole && header === "2026-07-28" : header !== "2026-07-28";
      assert.equal(gateway.calls.length - before, runs ? 1 : 0, JSON.stringify(body));
      assert.equal(status, runs ? 200 : 400);
      if (!runs) assert.ok([-32602, -32020, -32022].includes(body.error?.code ?? 0), JSON.stringify(body));
    }),
    { numRuns: 300 },
  );
});
