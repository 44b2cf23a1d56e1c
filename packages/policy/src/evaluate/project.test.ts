/** What leaves the projection, seen without the engine behind it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { JsonValue } from "@cmcp/boundary";
import type { ProjectedType } from "../schema/projection.ts";
import { call } from "../test-support.ts";
import { projectRequest } from "./project.ts";

const ASKED = { action: "call_tool", type: "cMCP::Resource", id: "read_file" };
const TOOLS = new Map([[ASKED.type, []]]);

/** The projected argument `value` under a type, or the fault. */
function projected(type: ProjectedType, value: JsonValue): unknown {
  const contexts = new Map([["call_tool", { facts: [], arguments: [{ name: "value", required: true, type }] }]]);
  const request = projectRequest("call_tool", { principal: [], resources: TOOLS, contexts }, ASKED, call({ value }));
  return typeof request === "string" ? request : request.context.arguments;
}

void test("a value of another type is a fault before the engine sees it", () => {
  const cases: readonly [ProjectedType, readonly JsonValue[]][] = [
    [{ kind: "String" }, [5, true, null, [], {}]],
    [{ kind: "Long" }, ["5", true, null, 1.5, 2 ** 53, -(2 ** 53), 1e300, [], {}]],
    [{ kind: "Bool" }, ["true", 0, 1, null, [], {}]],
    [{ kind: "Set", element: { kind: "Long" } }, [5, "5", {}, ["5"], [null]]],
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
    projectRequest("call_tool", { principal: [], resources: TOOLS, contexts }, ASKED, call({})),
    "request-invalid",
  );
});

void test("a value of its type is carried as it is", () => {
  assert.deepEqual(projected({ kind: "Long" }, -0), { value: 0 });
  assert.deepEqual(projected({ kind: "Bool" }, false), { value: false });
  assert.deepEqual(projected({ kind: "Set", element: { kind: "String" } }, ["a", "a"]), { value: ["a", "a"] });
});

void test("a set of records is rebuilt member by member, and the members of all sets together are bounded", () => {
  const record: ProjectedType = {
    kind: "Record",
    attributes: [
      { name: "tool", required: true, type: { kind: "String" } },
      { name: "labels", required: false, type: { kind: "Set", element: { kind: "String" } } },
    ],
  };
  const type: ProjectedType = { kind: "Set", element: record };
  assert.deepEqual(projected(type, [{ tool: "read", labels: ["pii"], other: 1 }, { tool: "send" }]), {
    value: [{ tool: "read", labels: ["pii"] }, { tool: "send" }],
  });
  assert.equal(projected(type, [{ labels: [] }]), "request-invalid");
  const wide = (count: number) => ({ tool: "t", labels: Array.from({ length: count }, () => "a") });
  assert.equal(
    typeof projected(
      type,
      [...Array(7).keys()].map(() => wide(512)),
    ),
    "object",
  );
  assert.equal(
    projected(
      type,
      [...Array(8).keys()].map(() => wide(512)),
    ),
    "context-bound",
  );
});

void test("no key of the caller's ever reaches the engine", () => {
  const type: ProjectedType = {
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

void test("texts, sets and all of a request end where their bounds are", () => {
  const texts: ProjectedType = { kind: "Set", element: { kind: "String" } };
  const sets: ProjectedType = { kind: "Set", element: { kind: "Set", element: { kind: "Bool" } } };
  const repeated = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);
  assert.equal(typeof projected({ kind: "String" }, "x".repeat(2_048)), "object");
  assert.equal(projected({ kind: "String" }, "x".repeat(2_049)), "context-bound");
  assert.equal(typeof projected(texts, repeated(512, "")), "object");
  assert.equal(projected(texts, repeated(513, "")), "context-bound");
  // The members of the outer set count too.
  const members = (count: number): boolean[][] => [...repeated(7, repeated(512, true)), repeated(count, true)];
  assert.equal(typeof projected(sets, members(4_096 - 7 * 512 - 8)), "object");
  assert.equal(projected(sets, members(4_096 - 7 * 512 - 7)), "context-bound");
  // The caller and the tool are texts of the request as well.
  const { principal } = call({});
  const others = principal.id.length + ASKED.id.length;
  const bytes = (last: number): string[] => [...repeated(7, "x".repeat(2_048)), "x".repeat(last)];
  assert.equal(typeof projected(texts, bytes(2_048 - others)), "object");
  assert.equal(projected(texts, bytes(2_049 - others)), "context-bound");
});
