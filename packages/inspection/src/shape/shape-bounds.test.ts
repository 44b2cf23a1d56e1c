import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject, JsonValue } from "@cmcp/boundary";
import {
  inspectAnswer,
  inspectError,
  inspectInputRequests,
  inspectNotification,
  inspectQuestion,
  inspectQuestionAnswer,
  inspectResult,
} from "../index.ts";

const open = { withholdText: false };
const MAX_BYTES = 256 * 1024 * 1024;
const words = (length: number): string => "x".repeat(length);
const times = <T>(count: number, item: T): T[] => Array.from({ length: count }, () => item);

const isResult = (content: JsonValue): boolean =>
  inspectResult(
    { toolName: "t", inputSchema: {}, outputSchema: null },
    { content },
    { maxBytes: MAX_BYTES, redactFields: [] },
  ).outcome === "pass";
const isAnswer = (method: "prompts/get" | "completion/complete", result: JsonObject): boolean =>
  inspectAnswer({ method }, result, { maxBytes: MAX_BYTES, redactFields: [] }).outcome === "pass";
const isKept = (method: string, params: JsonObject, read: JsonObject | null): boolean => {
  if (read === null) return false;
  assert.ok(method !== "");
  return JSON.stringify(read) === JSON.stringify(params);
};
const isQuestion = (method: string, params: JsonObject): boolean =>
  isKept(method, params, inspectQuestion(method, params, open));
const isTold = (method: string, params: JsonObject): boolean =>
  isKept(method, params, inspectNotification(method, params, open));
const isData = (data: JsonObject): boolean =>
  JSON.stringify(inspectError({ code: 1, message: "m", data }, { ...open, instead: "" }).data) === JSON.stringify(data);

const TEXT = { type: "text", text: "x" };
const LINK = { type: "resource_link", uri: "a:b", name: "n" };
const SAMPLING = { messages: [{ role: "user", content: TEXT }], maxTokens: 1 };
const sampling = (rest: JsonObject): boolean => isQuestion("sampling/createMessage", { ...SAMPLING, ...rest });
const sampled = (content: JsonValue): boolean => sampling({ messages: [{ role: "user", content }] });
const form = (properties: JsonObject, required?: JsonValue): boolean =>
  isQuestion("elicitation/create", {
    message: "m",
    requestedSchema: { type: "object", properties, ...(required === undefined ? {} : { required }) },
  });
const field = (rest: JsonObject): boolean => form({ a: { type: "string", ...rest } });
const reply = (method: string, question: JsonObject, answer: JsonValue): boolean =>
  inspectQuestionAnswer(method, question, answer).ok;
const versions = (count: number, length: number): JsonObject => ({ supported: times(count, words(length)) });
const elicitation = { mode: "url", message: "m", url: "https://a.example/", elicitationId: "1" };

/** What the protocol bounds in no way, and the gateway does: how long or how many at most, and whether so much passes. */
const BOUNDS: readonly (readonly [what: string, most: number, passes: (size: number) => boolean])[] = [
  ["parts of a result", 10_000, (size) => isResult(times(size, TEXT))],
  ["characters of a link's name", 1_024, (size) => isResult([{ ...LINK, name: words(size) }])],
  ["characters of a link's title", 1_024, (size) => isResult([{ ...LINK, title: words(size) }])],
  ["characters of a link's description", 16_384, (size) => isResult([{ ...LINK, description: words(size) }])],
  ["characters of a URI", 8_192, (size) => isResult([{ ...LINK, uri: words(size) }])],
  ["characters of a media type", 255, (size) => isResult([{ ...LINK, mimeType: words(size) }])],
  ["readers of a part", 2, (size) => isResult([{ ...TEXT, annotations: { audience: times(size, "user") } }])],
  ["priority of a part", 1, (size) => isResult([{ ...TEXT, annotations: { priority: size } }])],
  ["characters of a time", 64, (size) => isResult([{ ...TEXT, annotations: { lastModified: words(size) } }])],
  [
    "messages of a prompt",
    10_000,
    (size) => isAnswer("prompts/get", { messages: times(size, { role: "user", content: TEXT }) }),
  ],
  [
    "characters of a prompt's description",
    16_384,
    (size) => isAnswer("prompts/get", { messages: [], description: words(size) }),
  ],
  [
    "values of a completion",
    100,
    (size) => isAnswer("completion/complete", { completion: { values: times(size, "x") } }),
  ],
  ["messages of a sampling", 1_000, (size) => sampling({ messages: times(size, { role: "user", content: TEXT }) })],
  ["parts of a sampling message", 10_000, (size) => sampled(times(size, TEXT))],
  [
    "characters of a tool use's id",
    1_024,
    (size) => sampled({ type: "tool_use", id: words(size), name: "n", input: {} }),
  ],
  [
    "characters of a tool use's name",
    1_024,
    (size) => sampled({ type: "tool_use", id: "i", name: words(size), input: {} }),
  ],
  [
    "parts of a tool's result in a sampling",
    10_000,
    (size) => sampled({ type: "tool_result", toolUseId: "i", content: times(size, TEXT) }),
  ],
  ["hints of a sampling", 64, (size) => sampling({ modelPreferences: { hints: times(size, {}) } })],
  ["characters of a hint", 1_024, (size) => sampling({ modelPreferences: { hints: [{ name: words(size) }] } })],
  ["a priority of a sampling", 1, (size) => sampling({ modelPreferences: { costPriority: size } })],
  ["a speed of a sampling", 1, (size) => sampling({ modelPreferences: { speedPriority: size } })],
  ["an intelligence of a sampling", 1, (size) => sampling({ modelPreferences: { intelligencePriority: size } })],
  ["stops of a sampling", 64, (size) => sampling({ stopSequences: times(size, "x") })],
  ["characters of a stop", 1_024, (size) => sampling({ stopSequences: [words(size)] })],
  ["tools of a sampling", 256, (size) => sampling({ tools: times(size, { name: "n", inputSchema: {} }) })],
  [
    "characters of a form's message",
    16_384,
    (size) =>
      isQuestion("elicitation/create", { message: words(size), requestedSchema: { type: "object", properties: {} } }),
  ],
  [
    "fields of a form",
    64,
    (size) => form(Object.fromEntries(Array.from({ length: size }, (_, at) => [`f${at}`, { type: "boolean" }]))),
  ],
  ["required fields of a form", 64, (size) => form({}, times(size, "a"))],
  ["characters of a required field's name", 256, (size) => form({}, [words(size)])],
  ["characters of a field's name", 256, (size) => form({ [words(size)]: { type: "boolean" } })],
  ["characters of a field's title", 1_024, (size) => field({ title: words(size) })],
  ["characters of a field's default", 16_384, (size) => field({ default: words(size) })],
  ["choices of a field", 1_000, (size) => field({ enum: times(size, "x") })],
  ["titled choices of a field", 1_000, (size) => field({ oneOf: times(size, { const: "x", title: "X" }) })],
  [
    "characters of an elicitation's id",
    256,
    (size) => isQuestion("elicitation/create", { ...elicitation, elicitationId: words(size) }),
  ],
  [
    "questions of a result",
    64,
    (size) =>
      inspectInputRequests(
        Object.fromEntries(Array.from({ length: size }, (_, at) => [`q${at}`, { method: "roots/list" }])),
        open,
      ) !== null,
  ],
  [
    "characters of a question's id",
    256,
    (size) => inspectInputRequests({ [words(size)]: { method: "roots/list" } }, open) !== null,
  ],
  ["roots of an answer", 1_000, (size) => reply("roots/list", {}, { roots: times(size, { uri: "file:///a" }) })],
  [
    "characters of a field's answer",
    65_536,
    (size) =>
      reply(
        "elicitation/create",
        { requestedSchema: { type: "object", properties: { a: { type: "string" } } } },
        { action: "accept", content: { a: words(size) } },
      ),
  ],
  [
    "characters of a model's name",
    1_024,
    (size) => reply("sampling/createMessage", {}, { role: "user", content: TEXT, model: words(size) }),
  ],
  ["characters of progress", 16_384, (size) => isTold("notifications/progress", { progress: 1, message: words(size) })],
  [
    "characters of a logger's name",
    1_024,
    (size) => isTold("notifications/message", { level: "info", data: 1, logger: words(size) }),
  ],
  ["elicitations of an error", 16, (size) => isData({ elicitations: times(size, elicitation) })],
  ["versions of an error", 64, (size) => isData(versions(size, 1))],
  ["characters of a version", 64, (size) => isData(versions(1, size))],
  ["characters of a requested version", 64, (size) => isData({ requested: words(size) })],
];

for (const [what, most, passes] of BOUNDS)
  test(`${what}: ${most} at most`, () => {
    assert.deepEqual([passes(most), passes(most + 1)], [true, false]);
  });

test("counts of bytes, tokens and characters begin at zero, and are exact", () => {
  for (const [size, expected] of [
    [0, true],
    [Number.MAX_SAFE_INTEGER, true],
    [-1, false],
    [0.5, false],
    [2 ** 53, false],
  ] as const) {
    assert.equal(isResult([{ ...LINK, size }]), expected, String(size));
    assert.equal(sampling({ maxTokens: size }), expected, String(size));
    assert.equal(field({ minLength: size }), expected, String(size));
  }
  assert.equal(isResult([{ ...TEXT, annotations: { priority: -0.1 } }]), false);
  assert.equal(isResult([{ ...TEXT, annotations: { priority: 0 } }]), true);
});
