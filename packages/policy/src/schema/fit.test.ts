import assert from "node:assert/strict";
import { test } from "node:test";
import { LONG, STRINGS, memberType, recordType, type FactType } from "../fact-type.ts";
import { typeText } from "./fit.ts";

const OPEN: FactType = { kind: "Record", members: new Map([["complete", { kind: "Bool" }]]), others: LONG };

void test("a type reads as Cedar writes it", () => {
  assert.equal(typeText({ kind: "Set", element: recordType({ tool: { kind: "String" } }) }), "Set<{tool: String}>");
  assert.equal(typeText(STRINGS), "Set<String>");
  assert.equal(typeText(OPEN), "{complete: Bool, …: Long}");
});

void test("a record's member has its own type, or that of all others", () => {
  assert.deepEqual([memberType(OPEN, "complete"), memberType(OPEN, "calls")], [{ kind: "Bool" }, LONG]);
  assert.deepEqual([memberType(recordType({}), "toString"), memberType(STRINGS, "x")], [undefined, undefined]);
});
