/** The search over a catalog's tools: what ranks, what it does not depend on, and its bounds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { CatalogTool } from "../tool.ts";
import { SEARCH_TOOL, SEARCH_TOOL_NAME, withSearchTool } from "./search-tool.ts";
import { ToolIndex, wordsOf } from "./tool-index.ts";

function toolOf(toolName: string, description: string, names: readonly string[] = []): CatalogTool {
  const properties = Object.fromEntries(names.map((name) => [name, { type: "string" }]));
  return { ...SEARCH_TOOL, toolName, actionName: toolName, description, inputSchema: { type: "object", properties } };
}

const found = (tools: readonly CatalogTool[], query: string): (string | undefined)[] =>
  new ToolIndex(tools).ranked(query).map((at) => tools[at]?.toolName);

test("words are runs of letters and digits, also of names in camel case, without the s of a plural", () => {
  assert.deepEqual(wordsOf("getPatientRecords, get_patient-record2"), ["get", "patient", "record", "record2"]);
  assert.deepEqual(wordsOf("ＡＢＣ Größe address bus"), ["abc", "größe", "address", "bus"]);
  assert.deepEqual([wordsOf("a b c", 2), wordsOf("x".repeat(100))], [["a", "b"], ["x".repeat(64)]]);
});

test("a word counts most in the name, then in an argument, then in the description, and a whole name before all", () => {
  const tools = [
    toolOf("one", "refund"),
    toolOf("two", "", ["refund"]),
    toolOf("refund_order", "x"),
    toolOf("refund_refunds", "x"),
    toolOf("refund", "y"),
  ];
  assert.deepEqual(found(tools, "refund"), ["refund", "refund_order", "refund_refunds", "two", "one"]);
  assert.deepEqual(found(tools, "order x"), ["refund_order", "refund_refunds"]);
  assert.deepEqual(found(tools, "unknown"), []);
  assert.deepEqual(found([SEARCH_TOOL, ...tools], SEARCH_TOOL_NAME), [], "the search does not find itself");
});

const WORDS = ["order", "refund", "patient", "record", "send", "a", "Ü"];
const texts = fc.array(fc.constantFrom(...WORDS), { maxLength: 6 }).map((words) => words.join(" "));

test("what is hidden changes nothing: without some tools the others rank as they did", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({ name: texts, description: texts, names: fc.array(texts, { maxLength: 2 }), shown: fc.boolean() }),
        {
          maxLength: 12,
        },
      ),
      texts,
      (made, query) => {
        const tools = made.map(({ name, description, names }, at) => toolOf(`${name}_n${at}`, description, names));
        const shown = tools.filter((_, at) => made[at]?.shown);
        const names = new Set<string | undefined>(shown.map(({ toolName }) => toolName));
        assert.deepEqual(
          found(tools, query).filter((name) => names.has(name)),
          found(shown, query),
        );
      },
    ),
  );
});

test("any text gives words within the bounds, and each tool at most once", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 5000 }), fc.string({ unit: "binary" }), (text, query) => {
      const words = wordsOf(text);
      assert.ok(words.length <= 128 && words.every(({ length }) => length > 0 && length <= 64));
      const ranked = new ToolIndex([toolOf("a", text), toolOf(text, "b")]).ranked(query);
      assert.equal(new Set(ranked).size, ranked.length);
    }),
  );
  const long = `${"é".repeat(5000)} end`;
  assert.ok(!wordsOf(long).includes("end"), "a text is read to a limit");
});

test("the search stands before the catalog's tools, none of which has its name or its Cedar action", () => {
  const tool = toolOf("one", "x");
  assert.deepEqual([...withSearchTool(new Map([["one", tool]])).keys()], [SEARCH_TOOL_NAME, "one"]);
  for (const name of [SEARCH_TOOL_NAME, "CmcpSearchTools"])
    assert.throws(
      () => withSearchTool(new Map([[name, { ...tool, toolName: name, actionName: SEARCH_TOOL.actionName }]])),
      {
        code: "CATALOG_TOOL_NAME_COLLISION",
      },
    );
});
