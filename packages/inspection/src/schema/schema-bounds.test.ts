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
const nested = (levels: number): JsonObject => (levels === 0 ? {} : { not: nested(levels - 1) });

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
  ["levels of a schema", 64, (size) => isRead(nested(size))],
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
