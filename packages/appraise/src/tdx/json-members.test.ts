import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_JSON_LIMITS, type JsonValue } from "@cmcp/boundary";
import * as fc from "fast-check";
import { jsonMembers } from "./json-members.ts";

const members = (text: string) => jsonMembers(text, DEFAULT_JSON_LIMITS);

test("a member's text is what was written, not what it would be written as", () => {
  const text = '{ "a" : {"z":1.0, "y" : [ "}\\"," , {} ] } ,\n"b":"\\u007b", "c":-0 ,"d":[]}';
  const found = members(text);
  assert.deepEqual(
    [...found].map(([key, { text: own }]) => [key, own]),
    [
      ["a", '{"z":1.0, "y" : [ "}\\"," , {} ] }'],
      ["b", '"\\u007b"'],
      ["c", "-0"],
      ["d", "[]"],
    ],
  );
  assert.deepEqual(found.get("a")?.value, { z: 1, y: ['}",', {}] });
});

test("keys are read as JSON reads them", () => {
  assert.deepEqual([...members('{"\\u0074cbInfo":1,"a\\"b":2,"":3}').keys()], ["tcbInfo", 'a"b', ""]);
  assert.equal(members("{}").size, 0);
});

test("what the strict parser refuses is refused, and anything but an object", () => {
  for (const [text, code] of [
    ['{"a":1,"a":2}', "JSON_DUPLICATE_KEY"],
    ['{"a":{"b":1,"b":1}}', "JSON_DUPLICATE_KEY"],
    ['{"tcbInfo":1,"\\u0074cbInfo":2}', "JSON_DUPLICATE_KEY"],
    ["[1]", "JSON_SYNTAX"],
    ['"a"', "JSON_SYNTAX"],
    ['{"a":1} {', "JSON_SYNTAX"],
    ['\ufeff{"a":1}', "JSON_SYNTAX"],
  ] as const) {
    assert.throws(() => members(text), { code }, text);
  }
});

test("for any object, each member's text parses to its value and lies in the whole", () => {
  const value = fc.jsonValue({ maxDepth: 4 }).map((one) => JSON.parse(JSON.stringify(one)) as JsonValue);
  fc.assert(
    fc.property(fc.dictionary(fc.string(), value), fc.constantFrom(0, 1, "\t"), (record, space) => {
      const text = JSON.stringify(record, null, space);
      fc.pre(!text.includes('"__proto__"'));
      const found = members(text);
      assert.deepEqual(Object.fromEntries([...found].map(([key, { value: own }]) => [key, own])), JSON.parse(text));
      for (const [, { value: own, text: written }] of found) {
        assert.deepEqual(JSON.parse(written), own);
        assert.ok(text.includes(written));
      }
    }),
  );
});
