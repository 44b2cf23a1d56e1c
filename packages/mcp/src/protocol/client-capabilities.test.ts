import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonValue } from "@cmcp/boundary";
import * as fc from "fast-check";
import { declaresTasks, readClientCapabilities, withoutTasks } from "./client-capabilities.ts";

const TASKS = { "io.modelcontextprotocol/tasks": {} };
const ALL = {
  elicitation: { form: {}, url: {} },
  sampling: { context: {}, tools: {} },
  roots: {},
  extensions: TASKS,
};

test("what is known is rebuilt empty, and everything else is left out at any depth", () => {
  const secret = "marker-1c9e";
  assert.deepEqual(
    readClientCapabilities({
      elicitation: { form: { applyDefaults: true, [secret]: 1 }, url: { secret }, voice: {} },
      sampling: { context: {}, tools: { list: [secret] }, [secret]: {} },
      roots: { listChanged: true, [secret]: secret },
      extensions: { "io.modelcontextprotocol/tasks": { secret }, [`com.example/${secret}`]: {} },
      tasks: { requests: { secret } },
      experimental: { [secret]: secret },
      [secret]: {},
    }),
    ALL,
  );
  assert.deepEqual(readClientCapabilities({ elicitation: null, sampling: true, roots: [], extensions: {} }), {});
});

test("property: any JSON becomes part of the closed shape, which reads the same again", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.jsonValue(),
        fc.dictionary(fc.constantFrom("elicitation", "sampling", "roots", "extensions", "x"), fc.jsonValue()),
      ),
      (value) => {
        const read = readClientCapabilities(value as JsonValue);
        assert.deepEqual(readClientCapabilities(read), read);
        // Whatever was said, the longest that a server can hear is everything at once.
        assert.ok(JSON.stringify(read).length <= JSON.stringify(ALL).length);
        assert.ok(Object.keys(read).every((name) => Object.hasOwn(ALL, name)));
      },
    ),
  );
});

test("tasks are declared by the extension and left out with it", () => {
  assert.equal(declaresTasks({ extensions: TASKS }), true);
  assert.equal(declaresTasks({ roots: {} }), false);
  assert.deepEqual(withoutTasks({ roots: {}, extensions: TASKS }), { roots: {} });
});
