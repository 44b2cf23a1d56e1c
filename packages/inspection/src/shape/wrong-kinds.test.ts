import assert from "node:assert/strict";
import { test } from "node:test";
import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { inspectAnswer, inspectError, inspectNotification, inspectQuestion, inspectResult } from "../index.ts";

const open = { withholdText: false, instead: "" };
const options = { maxBytes: 1_000_000, redactFields: [] };
const ANNOTATIONS = { audience: ["user"], priority: 1, lastModified: "2026-01-01T00:00:00Z" };
const TEXT = { type: "text", text: "x", annotations: ANNOTATIONS };
const ABOUT = { title: "T", description: "D" };

type Read = (value: JsonObject) => JsonObject | null | undefined;
const asQuestion =
  (method: string): Read =>
  (params) =>
    inspectQuestion(method, params, open);
const asNotification =
  (method: string): Read =>
  (params) =>
    inspectNotification(method, params, open);

/** Something whole of each method, with every member that is read, and who reads it. */
const WHOLE: readonly (readonly [what: string, read: Read, whole: JsonObject])[] = [
  [
    "a result",
    (value) => inspectResult({ toolName: "t", inputSchema: {}, outputSchema: null }, value, options).result,
    {
      content: [
        TEXT,
        { type: "image", data: "AAAA", mimeType: "image/png", annotations: ANNOTATIONS },
        { type: "audio", data: "AAAA", mimeType: "audio/wav" },
        { type: "resource", resource: { uri: "a:b", text: "x", mimeType: "text/plain" } },
        { type: "resource", resource: { uri: "a:b", blob: "AAAA" } },
        { type: "resource_link", uri: "a:b", name: "n", ...ABOUT, mimeType: "text/plain", size: 1 },
      ],
      isError: false,
    },
  ],
  [
    "a resource",
    (value) => inspectAnswer({ method: "resources/read", uri: "a:b" }, value, options).result,
    { contents: [{ uri: "a:b", text: "x", mimeType: "text/plain" }], ttlMs: 1, cacheScope: "public" },
  ],
  [
    "a prompt",
    (value) => inspectAnswer({ method: "prompts/get" }, value, options).result,
    { messages: [{ role: "user", content: TEXT }], description: "D" },
  ],
  [
    "a completion",
    (value) => inspectAnswer({ method: "completion/complete" }, value, options).result,
    { completion: { values: ["a"], total: 1, hasMore: false } },
  ],
  [
    "a form",
    asQuestion("elicitation/create"),
    {
      mode: "form",
      message: "m",
      requestedSchema: {
        type: "object",
        properties: {
          a: { type: "string", ...ABOUT, minLength: 1, maxLength: 2, format: "email", default: "d" },
          b: { type: "string", enum: ["x"], enumNames: ["X"] },
          c: { type: "string", oneOf: [{ const: "x", title: "X" }] },
          d: { type: "number", ...ABOUT, minimum: 1, maximum: 2, default: 1 },
          e: { type: "integer", ...ABOUT, minimum: 1, maximum: 2, default: 1 },
          f: { type: "boolean", ...ABOUT, default: true },
          g: {
            type: "array",
            ...ABOUT,
            items: { type: "string", enum: ["x"] },
            minItems: 1,
            maxItems: 2,
            default: ["x"],
          },
          h: { type: "array", items: { anyOf: [{ const: "x", title: "X" }] } },
        },
        required: ["a"],
      },
    },
  ],
  [
    "an address to go to",
    asQuestion("elicitation/create"),
    { mode: "url", message: "m", url: "https://a.example/", elicitationId: "1" },
  ],
  [
    "a sampling",
    asQuestion("sampling/createMessage"),
    {
      messages: [
        { role: "user", content: TEXT },
        { role: "assistant", content: [{ type: "tool_use", id: "1", name: "t", input: {} }] },
        {
          role: "user",
          content: { type: "tool_result", toolUseId: "1", content: [TEXT], structuredContent: {}, isError: true },
        },
      ],
      maxTokens: 1,
      modelPreferences: { hints: [{ name: "m" }], costPriority: 0, speedPriority: 0, intelligencePriority: 0 },
      systemPrompt: "s",
      includeContext: "none",
      temperature: 1,
      stopSequences: ["."],
      tools: [{ name: "t", inputSchema: {}, ...ABOUT }],
      toolChoice: { mode: "auto" },
    },
  ],
  ["progress", asNotification("notifications/progress"), { progress: 1, total: 2, message: "m" }],
  ["a log message", asNotification("notifications/message"), { level: "info", logger: "l", data: "d" }],
  [
    "an error's data",
    (data) => inspectError({ code: 1, message: "m", data }, open).data ?? null,
    {
      uri: "a:b",
      elicitations: [{ mode: "url", message: "m", url: "https://a.example/", elicitationId: "1" }],
      supported: ["1"],
      requested: "1",
      requiredCapabilities: {
        elicitation: { form: {}, url: {} },
        sampling: { context: {}, tools: {} },
        roots: {},
        extensions: { "io.modelcontextprotocol/tasks": {} },
      },
    },
  ],
];

type Path = readonly (string | number)[];
const entriesOf = (value: JsonValue): (readonly [string | number, JsonValue])[] =>
  Array.isArray(value) ? [...value.entries()] : isJsonObject(value) ? Object.entries(value) : [];
const pathsIn = (value: JsonValue, at: Path = []): Path[] =>
  entriesOf(value).flatMap(([name, member]) => [[...at, name], ...pathsIn(member, [...at, name])]);
const memberOf = (value: JsonValue | undefined, name: string | number): JsonValue | undefined =>
  entriesOf(value ?? null).find(([other]) => other === name)?.[1];
const valueAt = (value: JsonValue | undefined, path: Path): JsonValue | undefined =>
  path.reduce<JsonValue | undefined>(memberOf, value);

function replaced(value: JsonValue, [name, ...rest]: Path, by: JsonValue): JsonValue {
  if (name === undefined) return by;
  const inside = replaced(memberOf(value, name) ?? null, rest, by);
  return Array.isArray(value)
    ? value.with(Number(name), inside)
    : { ...(isJsonObject(value) ? value : {}), [name]: inside };
}

const kindOf = (value: JsonValue | undefined): string =>
  value === null ? "null" : Array.isArray(value) ? "array" : typeof value;

/** Places that hold anything, or more than one kind. */
const isFree = (path: Path, by: JsonValue): boolean =>
  path.at(-1) === "data" && path.length === 1 ? true : path.at(-1) === "content" && Array.isArray(by);

for (const [what, read, whole] of WHOLE)
  test(`${what} passes whole, and no member of another kind passes with it`, () => {
    assert.deepEqual(read(whole), whole);
    for (const path of pathsIn(whole))
      for (const by of [null, true, "!", -1.5, [], {}, [1], { a: 1 }]) {
        if (kindOf(by) === kindOf(valueAt(whole, path)) || isFree(path, by)) continue;
        const passed = read(replaced(whole, path, by) as JsonObject) ?? null;
        assert.equal(valueAt(passed, path), undefined, `${path.join(".")}: ${JSON.stringify(by)}`);
      }
  });
