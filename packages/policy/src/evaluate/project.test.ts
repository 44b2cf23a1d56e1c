/** What leaves the projection, seen without the engine behind it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { JsonValue } from "@cmcp/boundary";
import type { ArgumentType } from "../schema/projection.ts";
import { call } from "../test-support.ts";
import { projectRequest } from "./project.ts";

const ASKED = { action: "call_tool", type: "cMCP::Resource", id: "read_file" };
const TOOLS = new Map([[ASKED.type, []]]);

/** The projected argument `value` under a type, or the fault. */
function projected(type: ArgumentType, value: JsonValue): unknown {
  const contexts = new Map([["call_tool", { facts: [], arguments: [{ name: "value", required: true, type }] }]]);
  const request = projectRequest("call_tool", { principal: [], subjects: TOOLS, contexts }, ASKED, call({ value }));
  return typeof request === "string" ? request : request.context.arguments;
}

void test("a value of another type is a fault before the engine sees it", () => {
  const cases: readonly [ArgumentType, readonly JsonValue[]][] = [
    [{ kind: "String" }, [5, true, null, [], {}]],
    [{ kind: "Long" }, ["5", true, null, 1.5, 2 ** 53, -(2 ** 53), 1e300, [], {}]],
    [{ kind: "Bool" }, ["true", 0, 1, null, [], {}]],
    [{ kind: "Set", element: "Long" }, [5, "5", {}, ["5"], [null]]],
    [{ kind: "Record", attributes: [] }, [5, "x", null, [], true]],
  ];
  for (const [type, values] of cases)
    for (const value of values) assert.equal(projected(type, value), "request-invalid");
});

void test("a required argument that is missing, or inherited, is a fault", () => {
  const contexts = new Map([
    ["call_tool", { facts: [], arguments: [{ name: "toString", required: true, type: { kind: "String" } as const }] }],
  ]);
  assert.equal(
    projectRequest("call_tool", { principal: [], subjects: TOOLS, contexts }, ASKED, call({})),
    "request-invalid",
  );
});

void test("a value of its type is carried as it is", () => {
  assert.deepEqual(projected({ kind: "Long" }, -0), { value: 0 });
  assert.deepEqual(projected({ kind: "Bool" }, false), { value: false });
  assert.deepEqual(projected({ kind: "Set", element: "String" }, ["a", "a"]), { value: ["a", "a"] });
});

void test("no key of the caller's ever reaches the engine", () => {
  const type: ArgumentType = {
    kind: "Record",
    attributes: [{ name: "mode", required: false, type: { kind: "String" } }],
  };
  const hostile = fc.constantFrom("__entity", "__extn", "__expr", "type", "id", "fn", "constructor");
  fc.assert(
    fc.property(fc.dictionary(hostile, fc.jsonValue()), (members) => {
      assert.deepEqual(projected(type, members as JsonValue), { value: {} });
    }),
  );
});
