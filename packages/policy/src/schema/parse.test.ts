import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSchema } from "./parse.ts";

const TEXT = 'namespace cMCP { entity Principal = { "// no comment": String }; }';
const JSON_FORM = JSON.stringify({
  cMCP: {
    entityTypes: { Principal: { shape: { type: "Record", attributes: { "// no comment": { type: "String" } } } } },
    actions: {},
  },
});
const why = (text: string): string => {
  const parsed = parseSchema(text);
  return parsed.ok ? "" : parsed.why;
};

test("a schema is read in either syntax, with comments and without", () => {
  for (const [source, commented] of [
    [TEXT, [`// a comment\n${TEXT}// another`]],
    [
      JSON_FORM,
      [
        `// a "comment\n${JSON_FORM}`,
        JSON_FORM.replace("{", "{ // {\n"),
        `${JSON_FORM} // at the end`,
        ` ${JSON_FORM} `,
      ],
    ],
  ] as const) {
    const plain = parseSchema(source);
    assert.ok(plain.ok && JSON.stringify(plain.schema).includes("// no comment"));
    for (const text of commented) assert.deepEqual(parseSchema(text), plain, text);
  }
});

test("a schema that is none says why", () => {
  assert.match(why("{"), /string/);
  assert.match(why('{"a":1,"a":2}'), /duplicate/);
  assert.notEqual(why('{"cMCP":{}}'), "");
  assert.notEqual(why("entity"), "");
  assert.notEqual(why('{ "unfinished'), "");
});

test("a schema in JSON is read up to 1 MiB, 32 levels and 100000 values", () => {
  const nested = (depth: number): string => `{"x":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;
  const counted = (items: number): string => `{"x":[${Array.from({ length: items - 3 }, () => "0").join(",")}]}`;
  // Blanks around a document are not counted, those in it are.
  const long = (length: number): string => `{${" ".repeat(length - 2)}}`;
  for (const [within, beyond, message] of [
    [long(1_048_576), long(1_048_577), /JSON document is/],
    [nested(32), nested(33), /nested deeper/],
    [counted(100_000), counted(100_001), /more than 100000 values/],
  ] as const) {
    assert.doesNotMatch(why(within), message);
    assert.match(why(beyond), message);
  }
});
