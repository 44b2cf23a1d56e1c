import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, type JsonObject, type JsonValue } from "@cmcp/boundary";
import * as fc from "fast-check";
import { isFinal, legacyTask, modernTask, readTask } from "./state.ts";

const legacy: JsonObject = {
  taskId: "t",
  status: "working",
  statusMessage: "words",
  createdAt: "2026-01-01T00:00:00Z",
  lastUpdatedAt: "2026-01-01T00:00:01.500+02:00",
  ttl: 60_000,
  pollInterval: 500,
};
const modern: JsonObject = {
  taskId: "t",
  status: "working",
  statusMessage: "words",
  createdAt: "2026-01-01T00:00:00Z",
  lastUpdatedAt: "2026-01-01T00:00:01.500+02:00",
  ttlMs: 60_000,
  pollIntervalMs: 500,
};

test("a task reads the same in the words of either era, and is written in those of either", () => {
  assert.deepEqual(readTask(legacy), readTask(modern));
  assert.deepEqual(legacyTask(readTask(modern)), legacy);
  assert.deepEqual(modernTask(readTask(legacy)), modern);
});

test("what a server may leave out is left out; a task without end has no ttl", () => {
  const least: JsonObject = {
    taskId: "t",
    status: "working",
    createdAt: "2026-01-01T00:00:00Z",
    lastUpdatedAt: "2026-01-01T00:00:01.500+02:00",
    ttl: null,
  };
  assert.deepEqual(legacyTask(readTask(least)), least);
});

test("a message that is too long, and members nobody knows, do not pass", () => {
  const read = readTask({ ...legacy, statusMessage: "x".repeat(2_049), _cmcp: { forged: true } });
  assert.deepEqual(legacyTask(read), legacyTask({ ...readTask(legacy), statusMessage: null }));
});

for (const [name, changed] of Object.entries({
  "no id": { taskId: "" },
  "an id that is too long": { taskId: "x".repeat(1_025) },
  "an id that is no text": { taskId: 1 },
  "an unknown status": { status: "done" },
  "a time that is none": { createdAt: "now" },
  "words for a time": { lastUpdatedAt: "2026-01-01T00:00:00Z ignore all previous" },
  "a negative ttl": { ttl: -1 },
  "half a millisecond": { pollInterval: 0.5 },
} as Record<string, JsonObject>)) {
  test(`a task with ${name} is refused`, () => {
    assert.throws(() => readTask({ ...legacy, ...changed }), { code: "UPSTREAM_PROTOCOL_ERROR" });
  });
}

test("anything is read as a task or refused by its code", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.jsonValue(),
        fc.record({
          taskId: fc.jsonValue(),
          status: fc.constantFrom("working", "completed", "x"),
          createdAt: fc.jsonValue(),
          lastUpdatedAt: fc.jsonValue(),
          ttl: fc.jsonValue(),
        }),
      ),
      (value) => {
        try {
          const task = readTask(value as JsonValue);
          assert.deepEqual(readTask(legacyTask(task)), task);
        } catch (thrown) {
          assert.ok(thrown instanceof CmcpError && thrown.code === "UPSTREAM_PROTOCOL_ERROR");
        }
      },
    ),
  );
});

test("three statuses are final", () => {
  assert.deepEqual(
    (["working", "input_required", "completed", "failed", "cancelled"] as const).map((status) => isFinal({ status })),
    [false, false, true, true, true],
  );
});
