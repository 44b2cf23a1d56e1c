import assert from "node:assert/strict";
import { test } from "node:test";
import { parseClaim, parseIncomplete, parseReceipt } from "./parse.ts";

const MIB = 1024 * 1024;
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
/** Object and arrays, so many deep. */
const nested = (depth: number): string => `{"x":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;
/** So many values and names. */
const counted = (items: number): string => `{"x":[${Array.from({ length: items - 3 }, () => "0").join(",")}]}`;

const FILES = [
  { parse: parseClaim, code: "CLAIM_MALFORMED", what: "claim", bytes: 32 * MIB, depth: 16, items: 1_000_000 },
  { parse: parseReceipt, code: "RECEIPT_MALFORMED", what: "receipt", bytes: 12_288, depth: 4, items: 200 },
  // What an export may have at most is more than a test should make.
  { parse: parseIncomplete, code: "BUNDLE_MALFORMED", what: "export", bytes: null, depth: 16, items: null },
] as const;

test("a file is read up to its bounds, and what is wrong beyond is said with its kind", () => {
  for (const { parse, code, what, bytes, depth, items } of FILES) {
    const refused = (text: string, message: RegExp): void =>
      assert.throws(() => parse(utf8(text)), { code, message }, what);
    const within = new RegExp(`^the ${what} is not valid: `);
    const beyond = (why: string): RegExp => new RegExp(`^the ${what} is not strict JSON: ${why}`);
    refused(nested(depth), within);
    refused(nested(depth + 1), beyond("nested deeper"));
    if (bytes !== null) {
      refused("{}".padEnd(bytes), within);
      refused("{}".padEnd(bytes + 1), beyond("JSON document is"));
    }
    if (items !== null) {
      refused(counted(items), within);
      refused(counted(items + 1), beyond("more than"));
    }
    refused("{", beyond("expected a string"));
    refused('{"a":1,"a":2}', beyond("duplicate key"));
  }
});
