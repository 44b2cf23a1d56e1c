import assert from "node:assert/strict";
import { test } from "node:test";
import { STRING, STRINGS } from "../fact-type.ts";
import { agreedType, toolArguments } from "./arguments.ts";

const source = toolArguments({
  inputSchema: {
    properties: {
      text: { type: "string" },
      texts: { type: "array", items: { type: "string" } },
      numbers: { type: "array", items: { type: "integer" } },
      anything: { type: "array" },
      real: { type: "number" },
    },
    required: ["text"],
  },
});

test("an argument has a Cedar type where its JSON type has an exact counterpart", () => {
  const types = ["text", "texts", "numbers", "anything", "real", "none", "toString"].map((name) => source.typeOf(name));
  assert.deepEqual(types, [STRING, STRINGS, undefined, undefined, undefined, undefined, undefined]);
  assert.deepEqual([source.requires("text"), source.requires("texts")], [true, false]);
});

test("tools that give an argument different types agree on none", () => {
  const other = toolArguments({ inputSchema: { properties: { text: { type: "boolean" } } } });
  const silent = toolArguments({ inputSchema: {} });
  assert.equal(agreedType([source, silent], "text"), STRING);
  assert.equal(agreedType([source, other], "text"), undefined);
  assert.equal(agreedType([silent], "text"), undefined);
});
