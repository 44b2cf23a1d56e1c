/** How much of a call's arguments is read for targets. What lies beyond makes them incomplete. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { argumentTargets } from "./argument-targets.ts";
import { plainText } from "./plain-text.ts";
import { normaliseUrl } from "./url.ts";

const read = (args: JsonObject, inputSchema: JsonObject = {}) => argumentTargets({ inputSchema }, args);
const nested = (depth: number): JsonValue => (depth === 0 ? "/x" : { d: nested(depth - 1) });
const listed = (depth: number): JsonValue => (depth === 0 ? "/x" : [listed(depth - 1)]);
const doublyEncoded = (times: number): string => `%${"25".repeat(times - 1)}41`;

/** How much at most, and whether so much is read. */
const BOUNDS: readonly (readonly [what: string, most: number, reads: (size: number) => boolean])[] = [
  ["targets", 64, (size) => read({ a: Array.from({ length: size }, (_, index) => `/p/${index}`) }).complete],
  ["values, the list among them", 4_096, (size) => read({ a: Array<number>(size - 1).fill(1) }).complete],
  ["levels below an argument", 32, (size) => read({ a: nested(size) }).complete],
  ["lists below an argument", 32, (size) => read({ a: listed(size) }).complete],
  ["characters of a path", 2_048, (size) => read({ a: `/${"x".repeat(size - 1)}` }).complete],
  ["characters of a disguised path", 2_048, (size) => read({ a: `%2f${"x".repeat(size - 3)}` }).complete],
  ["characters of a URL", 2_048, (size) => normaliseUrl(`http://h/${"x".repeat(size - 9)}`).complete],
  [
    "characters of a URL as it is normalised",
    2_048,
    (size) => normaliseUrl(`http://h/${"x".repeat(size - 15)}é`).complete,
  ],
  ["characters of a URL without a host", 2_048, (size) => normaliseUrl(`x:${"x".repeat(size - 2)}`).complete],
  ["characters of it as it is normalised", 2_048, (size) => normaliseUrl(`x:${"x".repeat(size - 8)}é`).complete],
  ["URLs within a URL", 4, (size) => normaliseUrl(`${"url:".repeat(size)}http://h/`).complete],
  // The last round is the one that finds nothing more to decode.
  ["encodings of a text within each other", 7, (size) => plainText(doublyEncoded(size)).complete],
];

for (const [what, most, reads] of BOUNDS)
  test(`${what}: ${most} at most`, () => {
    assert.deepEqual([reads(most), reads(most + 1)], [true, false]);
  });

test("256 schemas of one place are followed", () => {
  const alternatives = (count: number): JsonObject => ({
    // The last of them are looked at first.
    properties: { a: { allOf: [{ format: "uri" }, ...Array.from({ length: count - 2 }, () => ({}))] } },
  });
  assert.deepEqual(
    [256, 257].map((count) => read({ a: "h/x" }, alternatives(count)).hosts),
    [["h"], []],
  );
});

test("a reference is followed to where it points: through names with slashes and tildes, and positions of lists", () => {
  const uri = { format: "uri" };
  const hosts = (schema: JsonObject): readonly string[] => read({ a: "h/x" }, schema).hosts;
  for (const [reference, more] of [
    ["#/$defs/a~1b", { $defs: { "a/b": uri } }],
    ["#/$defs/a~0b", { $defs: { "a~b": uri } }],
    ["#/$defs/a~01b", { $defs: { "a~1b": uri } }],
    ["#/list/1", { list: [{}, uri] }],
    ["#/list/0/inner", { list: [{ inner: uri }] }],
  ] as readonly (readonly [string, JsonObject])[])
    assert.deepEqual(hosts({ properties: { a: { $ref: reference } }, ...more }), ["h"], reference);
  for (const reference of ["#/$defs/none", "#/$defs/toString", "other#/$defs/u", "#/list/7", "#/$defs/u/x/y", 1])
    assert.deepEqual(
      hosts({ properties: { a: { $ref: reference } }, $defs: { u: uri }, list: [] }),
      [],
      `${reference}`,
    );
});
