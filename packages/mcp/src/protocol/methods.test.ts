import assert from "node:assert/strict";
import { test } from "node:test";
import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import * as fc from "fast-check";
import { Refusal } from "../ingress/refusal.ts";
import type { AgentRequest } from "./agent-request.ts";
import type { Dialect } from "./era.ts";
import { METHODS, NAMED_BY, governedMethod, isGoverned, isTaskMethod, methodOf, readRequest } from "./methods.ts";
import { readShape } from "./shape.ts";
import { MAX_COMPLETED, MAX_KNOWN, MAX_NAME, MAX_RESPONSES, MAX_STATE, MAX_URI } from "./values.ts";

const GOVERNED = METHODS.filter(isGoverned);
const DIALECTS: readonly Dialect[] = ["modern", "legacy", "legacy-tasks"];
const TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const MARKER = "marker-7f3a";

/** Parameters that say everything a method takes in that dialect. */
function full(method: string, dialect: Dialect): JsonObject {
  const again: JsonObject =
    dialect === "modern" ? { inputResponses: { q: { action: "accept" } }, requestState: "s" } : {};
  const task: JsonObject = dialect === "legacy-tasks" ? { task: { ttl: 1 } } : {};
  const meta: JsonObject = { _meta: { traceparent: TRACEPARENT, tracestate: "a=1" } };
  switch (method) {
    case "tools/call":
      return { name: "n", arguments: { a: 1 }, ...again, ...task, ...meta };
    case "prompts/get":
      return { name: "n", arguments: { a: "1" }, ...again, ...meta };
    case "resources/read":
      return { uri: "a:b", ...again, ...meta };
    case "completion/complete":
      return {
        ref: { type: "ref/prompt", name: "n" },
        argument: { name: "a", value: "" },
        context: { arguments: { b: "2" } },
        ...meta,
      };
    case "tasks/update":
      return { taskId: "t", inputResponses: { q: {} }, ...meta };
    case "tasks/get":
    case "tasks/result":
    case "tasks/cancel":
      return { taskId: "t", ...task, ...meta };
    default:
      return { uri: "a:b", ...meta };
  }
}

function read(method: string, params: JsonObject, dialect: Dialect = "modern"): AgentRequest {
  const row = GOVERNED.find(({ name }) => name === method);
  assert.ok(row);
  return { ...readRequest(row, params, dialect), workflowId: null, dataClass: null, requestId: 1 };
}

function sent(request: AgentRequest): JsonObject {
  return governedMethod(request.method).upstream({ request, taskId: null, input: request.input });
}

function refusedWith(method: string, params: JsonObject, dialect: Dialect = "modern"): void {
  assert.throws(
    () => read(method, params, dialect),
    (thrown) => thrown instanceof Refusal && thrown.rpcCode === -32602,
    JSON.stringify(params).slice(0, 200),
  );
}

test("what leaves is what was read, and reading it again changes nothing", () => {
  for (const { name, kind } of GOVERNED)
    for (const dialect of DIALECTS) {
      const request = read(name, full(name, dialect), dialect);
      if (kind === "cancellation") assert.equal(sent(request)._meta, undefined, name);
      else assert.deepEqual(read(name, sent(request), dialect), request, `${name} ${dialect}`);
    }
});

test("a cancellation leaves with what it cancels and nothing else", () => {
  assert.deepEqual(sent(read("tasks/cancel", full("tasks/cancel", "legacy-tasks"), "legacy-tasks")), { taskId: "t" });
  assert.deepEqual(sent(read("resources/unsubscribe", full("resources/unsubscribe", "legacy"), "legacy")), {
    uri: "a:b",
  });
  assert.deepEqual(
    GOVERNED.filter(({ kind }) => kind === "cancellation").map(({ name }) => name),
    ["resources/unsubscribe", "tasks/cancel"],
  );
});

test("a task is named by the server's id where that is known, and by the agent's where not", () => {
  const request = read("tasks/get", { taskId: "agent's" });
  const { upstream } = governedMethod("tasks/get");
  assert.deepEqual(upstream({ request, taskId: "server's", input: null }), { taskId: "server's" });
  assert.deepEqual(upstream({ request, taskId: null, input: null }), { taskId: "agent's" });
});

/** Every object of parameters that is closed, by how to put a member into it. */
const CLOSED: readonly (readonly [string, Dialect, (extra: JsonObject) => JsonObject])[] = [
  ...GOVERNED.flatMap(({ name }) =>
    DIALECTS.map((dialect) => [name, dialect, (extra: JsonObject) => ({ ...full(name, dialect), ...extra })] as const),
  ),
  [
    "completion/complete",
    "modern",
    (extra) => ({ ...full("completion/complete", "modern"), ref: { type: "ref/prompt", name: "n", ...extra } }),
  ],
  [
    "completion/complete",
    "modern",
    (extra) => ({ ...full("completion/complete", "modern"), ref: { type: "ref/resource", uri: "a:{b}", ...extra } }),
  ],
  [
    "completion/complete",
    "modern",
    (extra) => ({ ...full("completion/complete", "modern"), argument: { name: "a", value: "", ...extra } }),
  ],
  [
    "completion/complete",
    "modern",
    (extra) => ({ ...full("completion/complete", "modern"), context: { arguments: {}, ...extra } }),
  ],
  ["tools/call", "legacy-tasks", (extra) => ({ name: "n", task: { ttl: 1, ...extra } })],
  ["tasks/get", "legacy-tasks", (extra) => ({ taskId: "t", task: { ttl: 1, ...extra } })],
];

test("an unknown member is refused in every closed object, whatever it holds", () => {
  for (const [method, dialect, put] of CLOSED) {
    assert.doesNotThrow(() => read(method, put({}), dialect), `${method} ${dialect}`);
    for (const name of [MARKER, "_cmcp", "cmcp.gateway/receipt", "title", "constructor"])
      refusedWith(method, put({ [name]: MARKER }), dialect);
  }
});

test("of _meta nothing but trace context goes on, in any method", () => {
  const meta = {
    traceparent: TRACEPARENT,
    progressToken: MARKER,
    baggage: MARKER,
    "com.example/x": { deep: MARKER },
    "cmcp.gateway/receipt": MARKER,
    "cmcp.gateway/claim": MARKER,
    _cmcp: MARKER,
    "io.modelcontextprotocol/related-task": { taskId: MARKER },
    "io.modelcontextprotocol/clientCapabilities": { [MARKER]: {} },
  };
  for (const { name, kind } of GOVERNED) {
    const leaves = sent(read(name, { ...full(name, "modern"), _meta: meta }));
    assert.doesNotMatch(JSON.stringify(leaves), new RegExp(MARKER), name);
    assert.deepEqual(leaves._meta, kind === "cancellation" ? undefined : { traceparent: TRACEPARENT }, name);
  }
});

test("every bound holds to the character and to the member", () => {
  const many = (count: number, value: JsonValue): JsonObject =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, value]));
  const completing = (changes: JsonObject): JsonObject => ({ ...full("completion/complete", "modern"), ...changes });
  const cases: readonly (readonly [string, number, (size: number) => JsonObject])[] = [
    ["tools/call", MAX_NAME, (size) => ({ name: "x".repeat(size) })],
    ["resources/read", MAX_URI, (size) => ({ uri: "x".repeat(size) })],
    ["tasks/get", MAX_NAME, (size) => ({ taskId: "x".repeat(size) })],
    ["tools/call", MAX_STATE, (size) => ({ name: "n", requestState: "x".repeat(size) })],
    ["tools/call", MAX_RESPONSES, (size) => ({ name: "n", inputResponses: many(size, {}) })],
    ["tasks/update", MAX_RESPONSES, (size) => ({ taskId: "t", inputResponses: many(size, {}) })],
    ["tasks/update", MAX_NAME, (size) => ({ taskId: "t", inputResponses: { ["x".repeat(size)]: {} } })],
    ["completion/complete", MAX_NAME, (size) => completing({ ref: { type: "ref/prompt", name: "x".repeat(size) } })],
    ["completion/complete", MAX_URI, (size) => completing({ ref: { type: "ref/resource", uri: "x".repeat(size) } })],
    ["completion/complete", MAX_NAME, (size) => completing({ argument: { name: "x".repeat(size), value: "" } })],
    ["completion/complete", MAX_COMPLETED, (size) => completing({ argument: { name: "a", value: "x".repeat(size) } })],
    ["completion/complete", MAX_KNOWN, (size) => completing({ context: { arguments: many(size, "") } })],
    ["completion/complete", MAX_NAME, (size) => completing({ context: { arguments: { ["x".repeat(size)]: "" } } })],
    ["completion/complete", MAX_COMPLETED, (size) => completing({ context: { arguments: { a: "x".repeat(size) } } })],
  ];
  for (const [method, bound, params] of cases) {
    assert.doesNotThrow(() => read(method, params(bound)), method);
    refusedWith(method, params(bound + 1));
  }
});

test("values of a type the protocol does not have there are refused", () => {
  const wrong: readonly (readonly [string, JsonObject])[] = [
    ["tools/call", { name: "n", inputResponses: { q: "text" } }],
    ["tools/call", { name: "n", inputResponses: [] }],
    ["tasks/update", { taskId: "t", inputResponses: {} }],
    ["tasks/update", { taskId: "t" }],
    ["tasks/update", { taskId: "t", inputResponses: { "": {} } }],
    ["tools/call", { name: "n", _meta: "text" }],
    ["completion/complete", { ...full("completion/complete", "modern"), ref: { type: "ref/tool", name: "n" } }],
    ["completion/complete", { ...full("completion/complete", "modern"), context: { arguments: { a: 1 } } }],
    ["completion/complete", { ref: { type: "ref/prompt", name: "n" } }],
    ["completion/complete", { argument: { name: "a", value: "" } }],
  ];
  for (const [method, params] of wrong) refusedWith(method, params);
  for (const ttl of ["1", -1, 0.5, {}]) refusedWith("tools/call", { name: "n", task: { ttl } }, "legacy-tasks");
  assert.deepEqual(read("tools/call", { name: "n", inputResponses: {} }).input, { responses: {}, state: null });
});

/** Every text and name in a value. */
function* texts(value: JsonValue): Generator<string> {
  if (typeof value === "string") yield value;
  if (Array.isArray(value)) for (const item of value) yield* texts(item);
  if (isJsonObject(value))
    for (const [name, item] of Object.entries(value)) {
      yield name;
      yield* texts(item);
    }
}

const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<JsonValue>;
const members = ["name", "arguments", "uri", "taskId", "task", "ref", "argument", "context", "_meta", "inputResponses"];
const params = fc.dictionary(fc.constantFrom(...members, "requestState", "cursor", "level", MARKER), json);

test("property: any JSON is refused with -32602 or read into a value that leaves and reads the same", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...GOVERNED),
      fc.constantFrom(...DIALECTS),
      params,
      fc.boolean(),
      (row, dialect, some, well) => {
        const given = (well ? { ...some, ...full(row.name, dialect) } : some) as JsonObject;
        let request: AgentRequest;
        try {
          request = read(row.name, given, dialect);
        } catch (thrown) {
          assert.ok(thrown instanceof Refusal && thrown.rpcCode === -32602);
          return;
        }
        const leaves = sent(request);
        if (row.kind === "decided") assert.deepEqual(read(row.name, leaves, dialect), request);
        // A call without arguments leaves with none, under their name.
        const known = new Set([...texts(given), "arguments"]);
        for (const text of texts(leaves)) assert.ok(known.has(text), `${text} was not in what the agent sent`);
      },
    ),
    { numRuns: 500 },
  );
});

test("property: lists and local methods refuse any JSON with -32602 or read it into their own shape", () => {
  const local = METHODS.filter((row) => row.kind === "local" || row.kind === "list");
  fc.assert(
    fc.property(
      fc.constantFrom(...local),
      fc.dictionary(
        fc.constantFrom("cursor", "level", "notifications", "_meta", "protocolVersion", "capabilities", "clientInfo"),
        json,
      ),
      (row, some) => {
        try {
          const value = readShape<object>(row.params, some, row.name, "modern");
          assert.deepEqual(Object.keys(value).toSorted(), Object.keys(row.params.empty).toSorted());
        } catch (thrown) {
          assert.ok(thrown instanceof Refusal && thrown.rpcCode === -32602);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("the table says which header names what, and what a task's methods are", () => {
  assert.deepEqual(Object.fromEntries(NAMED_BY), {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
  });
  assert.deepEqual(
    [isTaskMethod("tasks/get"), isTaskMethod("tools/call"), isTaskMethod("tasks/list")],
    [true, false, false],
  );
  assert.equal(new Set(METHODS.map(({ name }) => name)).size, METHODS.length, "a method has one row");
  for (const name of ["constructor", "__proto__", "tools/unknown"]) assert.equal(methodOf(name), undefined);
});
