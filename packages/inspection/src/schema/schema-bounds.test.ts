import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { inspectArguments, prepareSchemas, type InspectedTool } from "../index.ts";

const tool = (inputSchema: JsonObject): InspectedTool => ({
  toolName: "t",
  inputSchema,
  outputSchema: null,
  additionalArguments: true,
});
const accepts = (inputSchema: JsonObject, args: JsonObject): boolean => inspectArguments(tool(inputSchema), args).ok;
const isRead = (inputSchema: JsonObject): boolean => {
  try {
    return prepareSchemas(tool(inputSchema)) !== null;
  } catch {
    return false;
  }
};
const words = (length: number): string => "x".repeat(length);
const named = (count: number): JsonObject =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`x${at}`, 1]));
const nested = (levels: number, around: (inner: JsonObject) => JsonObject): JsonObject =>
  levels === 0 ? {} : around(nested(levels - 1, around));
/** Keywords below which schemas stand. */
const LEVELS: readonly (readonly [keyword: string, around: (inner: JsonObject) => JsonObject])[] = [
  ...["not", "if", "then", "else", "contains", "propertyNames", "items", "additionalProperties"].map(
    (keyword) => [keyword, (inner: JsonObject) => ({ [keyword]: inner })] as const,
  ),
  ...["allOf", "anyOf", "oneOf", "prefixItems", "items"].map(
    (keyword) => [`a list of ${keyword}`, (inner: JsonObject) => ({ [keyword]: [true, inner] })] as const,
  ),
  ...["properties", "patternProperties", "dependentSchemas", "$defs", "definitions", "dependencies"].map(
    (keyword) => [keyword, (inner: JsonObject) => ({ [keyword]: { a: inner } })] as const,
  ),
  ["additionalItems", (inner) => ({ items: [], additionalItems: inner })],
];

type Bound = readonly [what: string, most: number, passes: (size: number) => boolean];

const digits = (count: number): string => "0".repeat(count);
/** Formats whose grammar alone bounds no length, and a text of a length that has it. */
const FORMATS: readonly (readonly [format: string, most: number, text: (size: number) => string])[] = [
  ["time", 64, (size) => `00:00:00.${digits(size - 10)}Z`],
  ["date-time", 64, (size) => `2026-01-02T00:00:00.${digits(size - 21)}Z`],
  ["duration", 64, (size) => `P1${digits(size - 3)}D`],
  ["regex", 1_024, words],
];

/** How much at most, and whether so much passes. */
const BOUNDS: readonly Bound[] = [
  [
    "characters of a text that a pattern is matched against",
    4_096,
    (size) => accepts({ properties: { a: { pattern: "^x+$" } } }, { a: words(size) }),
  ],
  [
    "characters of a name that a pattern is matched against",
    256,
    (size) => accepts({ patternProperties: { "^x": true } }, { [words(size)]: 1 }),
  ],
  [
    "names that a pattern is matched against",
    256,
    (size) => accepts({ patternProperties: { "^x": true } }, named(size)),
  ],
  [
    "items that are compared",
    1_000,
    (size) => accepts({ properties: { a: { uniqueItems: true } } }, { a: Array.from({ length: size }, (_, at) => at) }),
  ],
  [
    "subschemas of a schema, itself one",
    5_000,
    (size) => isRead({ anyOf: Array.from({ length: size - 1 }, () => true) }),
  ],
  ...LEVELS.map(
    ([keyword, around]): Bound => [`levels of a schema by ${keyword}`, 64, (size) => isRead(nested(size, around))],
  ),
  ["characters of a pattern", 1_024, (size) => isRead({ pattern: words(size) })],
  ...FORMATS.map(
    ([format, most, text]): Bound => [
      `characters of a ${format}`,
      most,
      (size) => accepts({ properties: { a: { format } } }, { a: text(size) }),
    ],
  ),
];

for (const [what, most, passes] of BOUNDS)
  test(`${what}: ${most} at most`, () => {
    assert.deepEqual([passes(most), passes(most + 1)], [true, false]);
  });

test("a reference leads to an anchor of the schema, and to no other", () => {
  const referring = (name: string): JsonObject => ({
    properties: { a: { $ref: `#${name}` } },
    $defs: { short: { $anchor: "short", type: "string", maxLength: 2 } },
  });
  assert.deepEqual(
    ["ab", "abc", 1].map((a) => accepts(referring("short"), { a })),
    [true, false, false],
  );
  assert.equal(isRead(referring("long")), false);
  for (const [anchor, expected] of [
    ["a".repeat(128), true],
    ["a".repeat(129), false],
    ["", false],
    ["1a", false],
    [1, false],
  ] as const)
    assert.equal(isRead({ $anchor: anchor }), expected, String(anchor));
});
