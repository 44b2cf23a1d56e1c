import assert from "node:assert/strict";
import { test } from "node:test";
import { untrusted, type ErrorCode } from "@cmcp/boundary";
import { Decoder, Encoder } from "cbor-x";
import { decodeMap } from "./codec.ts";
import { MAX_DEPTH, MAX_ITEMS } from "./limits.ts";

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(" ", ""), "hex");
const nested = (levels: number): Buffer => Buffer.concat([bytes("a1 61 61"), Buffer.alloc(levels, 0x81), bytes("01")]);
const bareDecode = (input: Uint8Array): unknown => new Decoder({ useRecords: false }).decode(input);

function rejects(input: Uint8Array, code: ErrorCode): void {
  assert.throws(() => decodeMap(untrusted(input)), { name: "CmcpError", code });
}

/** What a bare cbor-x decoder makes of it is the reason for the scanner. */
const taken: readonly { what: string; hex: string; code: ErrorCode; bare: unknown }[] = [
  {
    what: "a record defined by tag 105",
    hex: "a1 61 61 d8 69 83 19 e000 81 61 72 01",
    code: "WIRE_TAG_FORBIDDEN",
    bare: { a: { r: 1 } },
  },
  {
    what: "a regular expression built by tag 27",
    hex: "a1 61 61 d8 1b 83 66 526567457870 61 61 60",
    code: "WIRE_TAG_FORBIDDEN",
    bare: { a: /a/ },
  },
  {
    what: "a set built by tag 258",
    hex: "a1 61 61 d9 0102 81 01",
    code: "WIRE_TAG_FORBIDDEN",
    bare: { a: new Set([1]) },
  },
  { what: "a duplicate key", hex: "a2 61 61 01 61 61 02", code: "WIRE_DUPLICATE_KEY", bare: { a: 2 } },
  {
    what: "__proto__, silently renamed",
    hex: "a1 69 5f5f70726f746f5f5f a1 61 61 01",
    code: "WIRE_KEY_FORBIDDEN",
    bare: { __proto_: { a: 1 } },
  },
  { what: "an integer key", hex: "a1 01 02", code: "WIRE_KEY_FORBIDDEN", bare: { "1": 2 } },
  { what: "a boolean key", hex: "a1 f5 02", code: "WIRE_KEY_FORBIDDEN", bare: { true: 2 } },
  { what: "an indefinite map", hex: "bf 61 61 01 ff", code: "WIRE_INDEFINITE_LENGTH", bare: { a: 1 } },
  { what: "an indefinite array", hex: "a1 61 61 9f 01 ff", code: "WIRE_INDEFINITE_LENGTH", bare: { a: [1] } },
  { what: "bad UTF-8", hex: "a1 61 61 62 c328", code: "WIRE_INVALID_UTF8", bare: { a: "\ufffd(" } },
  {
    what: "a surrogate in UTF-8",
    hex: "a1 61 61 63 eda080",
    code: "WIRE_INVALID_UTF8",
    bare: { a: "\ufffd\ufffd\ufffd" },
  },
  {
    what: "a byte order mark, silently dropped from a long text",
    hex: `a1 61 61 78 43 efbbbf ${"61".repeat(64)}`,
    code: "WIRE_INVALID_UTF8",
    bare: { a: "a".repeat(64) },
  },
  { what: "unsorted keys", hex: "a2 61 62 01 61 61 02", code: "WIRE_NON_CANONICAL", bare: { b: 1, a: 2 } },
  {
    what: "a longer key before a shorter",
    hex: "a2 62 6161 01 61 62 02",
    code: "WIRE_NON_CANONICAL",
    bare: { aa: 1, b: 2 },
  },
  {
    what: "an integer in eight bytes that needs none",
    hex: "a1 61 61 1b 0000000000000001",
    code: "WIRE_NON_CANONICAL",
    bare: { a: 1n },
  },
  { what: "23 in one byte", hex: "a1 61 61 18 17", code: "WIRE_NON_CANONICAL", bare: { a: 23 } },
  { what: "255 in two bytes", hex: "a1 61 61 19 00ff", code: "WIRE_NON_CANONICAL", bare: { a: 255 } },
  { what: "65535 in four bytes", hex: "a1 61 61 1a 0000ffff", code: "WIRE_NON_CANONICAL", bare: { a: 65_535 } },
  {
    what: "2^32-1 in eight bytes",
    hex: "a1 61 61 1b 00000000ffffffff",
    code: "WIRE_NON_CANONICAL",
    bare: { a: 4_294_967_295n },
  },
  {
    what: "a string length in two bytes that needs one",
    hex: "a1 61 61 78 01 62",
    code: "WIRE_NON_CANONICAL",
    bare: { a: "b" },
  },
  { what: "a half float", hex: "a1 61 61 f9 3c00", code: "WIRE_FLOAT_FORBIDDEN", bare: { a: 1 } },
  { what: "a double", hex: "a1 61 61 fb 3ff8000000000000", code: "WIRE_FLOAT_FORBIDDEN", bare: { a: 1.5 } },
  { what: "undefined", hex: "a1 61 61 f7", code: "WIRE_SIMPLE_FORBIDDEN", bare: { a: undefined } },
  { what: "a negative integer", hex: "a1 61 61 20", code: "WIRE_MALFORMED", bare: { a: -1 } },
  { what: "2^53", hex: "a1 61 61 1b 0020000000000000", code: "WIRE_MALFORMED", bare: { a: 9_007_199_254_740_992n } },
  {
    what: "2^64-1",
    hex: "a1 61 61 1b ffffffffffffffff",
    code: "WIRE_MALFORMED",
    bare: { a: 18_446_744_073_709_551_615n },
  },
  { what: "something other than a map", hex: "81 01", code: "WIRE_MALFORMED", bare: [1] },
];

for (const { what, hex, code, bare } of taken) {
  test(`bare cbor-x takes ${what}; here it is ${code}`, () => {
    assert.deepEqual(bareDecode(bytes(hex)), bare);
    rejects(bytes(hex), code);
  });
}

const refused: readonly { what: string; hex: string; code: ErrorCode }[] = [
  { what: "no bytes at all", hex: "", code: "WIRE_MALFORMED" },
  { what: "a map that ends early", hex: "a1", code: "WIRE_TRUNCATED" },
  { what: "a value that ends early", hex: "a1 61 61", code: "WIRE_TRUNCATED" },
  { what: "a length that ends early", hex: "a1 61 61 19 01", code: "WIRE_TRUNCATED" },
  { what: "a byte string longer than its frame", hex: "a1 61 61 42 01", code: "WIRE_TRUNCATED" },
  { what: "a byte string of 4 GiB", hex: "a1 61 61 5a ffffffff", code: "WIRE_TRUNCATED" },
  { what: "a text of 2^52 bytes", hex: "a1 61 61 7b 0010000000000000", code: "WIRE_TRUNCATED" },
  { what: "a text of 2^64-1 bytes", hex: "a1 61 61 7b ffffffffffffffff", code: "WIRE_MALFORMED" },
  { what: "an array of 2^32-1 items", hex: "a1 61 61 9a ffffffff", code: "WIRE_TOO_MANY_ITEMS" },
  { what: "a map of 2^52 pairs", hex: "bb 0010000000000000", code: "WIRE_TOO_MANY_ITEMS" },
  { what: "a second item", hex: "a0 a0", code: "WIRE_TRAILING_BYTES" },
  { what: "a break out of place", hex: "a1 61 61 ff", code: "WIRE_INDEFINITE_LENGTH" },
  { what: "an indefinite byte string", hex: "a1 61 61 5f 41 01 ff", code: "WIRE_INDEFINITE_LENGTH" },
  { what: "an indefinite text", hex: "a1 61 61 7f 61 61 ff", code: "WIRE_INDEFINITE_LENGTH" },
  { what: "an indefinite key", hex: "a1 7f 61 61 ff 01", code: "WIRE_INDEFINITE_LENGTH" },
  { what: "a tagged frame", hex: "d9 d9f7 a0", code: "WIRE_MALFORMED" },
  { what: "reserved additional information 28", hex: "a1 61 61 1c", code: "WIRE_MALFORMED" },
  { what: "an indefinite integer", hex: "a1 61 61 1f", code: "WIRE_MALFORMED" },
  { what: "simple value 16", hex: "a1 61 61 f0", code: "WIRE_SIMPLE_FORBIDDEN" },
  { what: "simple value 32", hex: "a1 61 61 f8 20", code: "WIRE_SIMPLE_FORBIDDEN" },
  { what: "true in two bytes", hex: "a1 61 61 f8 15", code: "WIRE_SIMPLE_FORBIDDEN" },
];

for (const { what, hex, code } of refused) {
  test(`${what}: ${code}`, () => {
    rejects(bytes(hex), code);
  });
}

test("10 000 levels overflow the stack of bare cbor-x and are WIRE_TOO_DEEP here", () => {
  assert.throws(() => bareDecode(nested(10_000)), RangeError);
  rejects(nested(10_000), "WIRE_TOO_DEEP");
});

test("depth and item limits are exact", () => {
  decodeMap(untrusted(nested(MAX_DEPTH - 1)));
  rejects(nested(MAX_DEPTH), "WIRE_TOO_DEEP");
  const array = (count: number): Buffer =>
    Buffer.concat([bytes("a1 61 61 99"), Buffer.from([count >> 8, count & 0xff]), Buffer.alloc(count, 1)]);
  // The frame, its key and the array are items too.
  decodeMap(untrusted(array(MAX_ITEMS - 3)));
  rejects(array(MAX_ITEMS - 2), "WIRE_TOO_MANY_ITEMS");
});

test("one message cannot change how the next is read", () => {
  const poison = bytes("a1 61 61 d8 69 84 19 e000 82 64 726f6c65 64 6e616d65 65 61646d696e 63 626f62");
  const next = bytes("a1 61 61 d9 e000 82 61 78 61 79");
  const bare = new Encoder({ useRecords: false });
  assert.notDeepEqual(bare.decode(next), { a: { role: "x", name: "y" } });
  bare.decode(poison);
  assert.deepEqual(
    bare.decode(next),
    { a: { role: "x", name: "y" } },
    "bare cbor-x reads the second message by the first one's record",
  );

  const plain = bytes("a1 61 61 82 61 78 61 79");
  rejects(next, "WIRE_TAG_FORBIDDEN");
  rejects(poison, "WIRE_TAG_FORBIDDEN");
  rejects(next, "WIRE_TAG_FORBIDDEN");
  assert.deepEqual(decodeMap(untrusted(plain)), { a: ["x", "y"] });
});
