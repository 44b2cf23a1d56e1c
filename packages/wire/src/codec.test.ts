import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, untrusted } from "@cmcp/boundary";
import * as cborg from "cborg";
import * as fc from "fast-check";
import { decodeMap, encodeMap, type WireMap, type WireValue } from "./codec.ts";
import { MAX_DEPTH, MAX_FRAME_BYTES, MAX_ITEMS } from "./limits.ts";
import { wireMap } from "./testing/arbitrary.ts";

const STRICT: cborg.DecodeOptions = {
  strict: true,
  useMaps: true,
  rejectDuplicateMapKeys: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowBigInt: false,
  allowInfinity: false,
  allowNaN: false,
};

/** A value with Buffers and Uint8Arrays, and maps and objects, made alike. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return new Map([...value].map(([key, member]) => [key, plain(member)]));
  if (typeof value === "object" && value !== null)
    return new Map(Object.entries(value).map(([key, member]) => [key, plain(member)]));
  return value;
}

function ours(bytes: Uint8Array): WireMap | undefined {
  try {
    return decodeMap(untrusted(bytes));
  } catch (thrown) {
    assert.ok(thrown instanceof CmcpError && thrown.code.startsWith("WIRE_"), String(thrown));
    return undefined;
  }
}

/** What of cborg's values our profile carries; counts items as it goes. */
function inProfile(value: unknown, depth: number, count: { items: number }): boolean {
  count.items += 1;
  if (depth > MAX_DEPTH || count.items > MAX_ITEMS) return false;
  if (typeof value === "string") return !value.startsWith("\ufeff");
  if (typeof value === "number") return Number.isSafeInteger(value) && value >= 0;
  if (value === null || typeof value === "boolean" || value instanceof Uint8Array) return true;
  if (Array.isArray(value)) return depth < MAX_DEPTH && value.every((item) => inProfile(item, depth + 1, count));
  if (!(value instanceof Map) || depth >= MAX_DEPTH) return false;
  return [...value].every(([key, member]) => {
    return (
      typeof key === "string" &&
      key !== "__proto__" &&
      inProfile(key, depth, count) &&
      inProfile(member, depth + 1, count)
    );
  });
}

/**
 * The exact relation: we accept bytes if and only if cborg strict does, the value is in the profile, and
 * cborg's canonical encoding of the value is those bytes (which excludes bad UTF-8, floats and unsorted keys).
 */
function oracle(bytes: Uint8Array): unknown {
  let value: unknown;
  try {
    value = cborg.decode(bytes, STRICT);
  } catch {
    return undefined;
  }
  if (!(value instanceof Map) || !inProfile(value, 0, { items: 0 })) return undefined;
  return Buffer.compare(cborg.encode(value), bytes) === 0 ? value : undefined;
}

function agrees(bytes: Uint8Array): boolean {
  const mine = ours(bytes);
  const theirs = oracle(bytes);
  assert.equal(
    mine === undefined,
    theirs === undefined,
    `${Buffer.from(bytes).toString("hex")}: ${mine === undefined ? "only cborg" : "only we"} accept`,
  );
  if (mine !== undefined) assert.deepEqual(plain(mine), plain(theirs));
  return mine !== undefined;
}

test("what is encoded is decoded to the same, and cborg writes the same bytes", () => {
  fc.assert(
    fc.property(wireMap, (map) => {
      const bytes = encodeMap(map);
      assert.deepEqual(plain(decodeMap(untrusted(bytes))), plain(map));
      assert.equal(Buffer.from(cborg.encode(plain(map))).toString("hex"), Buffer.from(bytes).toString("hex"));
    }),
    { numRuns: 500 },
  );
});

test("agrees with cborg strict on generated input", () => {
  fc.assert(
    fc.property(wireMap, (map) => {
      assert.ok(agrees(cborg.encode(plain(map))));
    }),
    { numRuns: 500 },
  );
});

test("agrees with cborg strict on values beyond the profile", () => {
  const beyond = fc.anything({
    withMap: false,
    withDate: false,
    withBigInt: false,
    withNullPrototype: false,
    withTypedArray: false,
    maxDepth: 4,
  });
  fc.assert(
    fc.property(fc.dictionary(fc.string({ maxLength: 4 }), beyond), (map) => {
      let bytes: Uint8Array;
      try {
        bytes = cborg.encode(map, { mapSorter: () => 0 });
      } catch {
        fc.pre(false);
        return;
      }
      agrees(bytes);
    }),
    { numRuns: 500 },
  );
});

test("agrees with cborg strict on mutated input", () => {
  const mutation = fc.record({
    at: fc.nat(),
    byte: fc.nat(255),
    how: fc.constantFrom("set", "insert", "delete", "swap"),
  });
  let accepted = 0;
  let rejected = 0;
  fc.assert(
    fc.property(wireMap, fc.array(mutation, { minLength: 1, maxLength: 3 }), (map, mutations) => {
      let bytes = [...encodeMap(map)];
      for (const { at, byte, how } of mutations) {
        const index = at % bytes.length;
        if (how === "set") bytes[index] = byte;
        else if (how === "insert") bytes.splice(index, 0, byte);
        else if (how === "delete" && bytes.length > 1) bytes.splice(index, 1);
        else bytes = [...bytes.slice(index), ...bytes.slice(0, index)];
      }
      if (agrees(Uint8Array.from(bytes))) accepted += 1;
      else rejected += 1;
    }),
    { numRuns: 5000 },
  );
  assert.ok(
    accepted > 100 && rejected > 1000,
    `both verdicts are exercised: ${accepted} accepted, ${rejected} rejected`,
  );
});

test("agrees with cborg strict on arbitrary bytes after a map header", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 24 }), fc.nat(3), (tail, pairs) => {
      agrees(Uint8Array.from([0xa0 + pairs, ...tail]));
    }),
    { numRuns: 5000 },
  );
});

test("decoding depends on the bytes alone, whatever was decoded before", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), wireMap, (noise, map) => {
      const bytes = encodeMap(map);
      const before = plain(decodeMap(untrusted(bytes)));
      ours(noise);
      ours(Uint8Array.from([0xa1, 0x61, 0x61, ...noise]));
      assert.deepEqual(plain(decodeMap(untrusted(bytes))), before);
    }),
    { numRuns: 500 },
  );
});

test("byte strings are views of the input", () => {
  const bytes = encodeMap({ data: Uint8Array.of(1, 2, 3) });
  const { data } = decodeMap(untrusted(bytes));
  assert.ok(data instanceof Uint8Array);
  assert.equal(data.buffer, bytes.buffer);
});

test("the decoder leaves nothing on the array it was given", () => {
  const bytes = encodeMap({ a: 1 });
  decodeMap(untrusted(bytes));
  assert.equal(Object.hasOwn(bytes, "dataView"), false);
});

test("a frame larger than the limit is not even scanned", () => {
  assert.throws(() => decodeMap(untrusted(Buffer.alloc(MAX_FRAME_BYTES + 1, 0xff))), { code: "WIRE_FRAME_TOO_LARGE" });
});

const unencodable: readonly { what: string; value: unknown; code: string }[] = [
  { what: "a fraction", value: 1.5, code: "WIRE_MALFORMED" },
  { what: "a negative number", value: -1, code: "WIRE_MALFORMED" },
  { what: "2^53", value: 2 ** 53, code: "WIRE_MALFORMED" },
  { what: "NaN", value: Number.NaN, code: "WIRE_MALFORMED" },
  { what: "a bigint", value: 1n, code: "WIRE_MALFORMED" },
  { what: "a function", value: () => 1, code: "WIRE_MALFORMED" },
  { what: "an undefined in an array", value: [undefined], code: "WIRE_MALFORMED" },
  { what: "a date", value: new Date(0), code: "WIRE_MALFORMED" },
  { what: "a map object", value: new Map([["a", 1]]), code: "WIRE_MALFORMED" },
  { what: "a lone surrogate", value: "\ud800", code: "WIRE_INVALID_UTF8" },
  { what: "a leading byte order mark", value: "\ufeffa", code: "WIRE_INVALID_UTF8" },
  { what: "a key __proto__", value: { ["__proto__"]: 1 }, code: "WIRE_KEY_FORBIDDEN" },
  { what: "a frame too large", value: new Uint8Array(MAX_FRAME_BYTES), code: "WIRE_FRAME_TOO_LARGE" },
];

for (const { what, value, code } of unencodable) {
  test(`${what} is not encoded: ${code}`, () => {
    assert.throws(() => encodeMap({ a: value as WireValue }), { name: "CmcpError", code });
  });
}

test("nesting is not encoded beyond the limit", () => {
  const nested = (levels: number): WireMap => ({ a: levels === 0 ? 1 : nested(levels - 1) });
  decodeMap(untrusted(encodeMap(nested(MAX_DEPTH - 1))));
  assert.throws(() => encodeMap(nested(MAX_DEPTH)), { code: "WIRE_TOO_DEEP" });
});

test("minus zero is written as zero", () => {
  assert.deepEqual([...encodeMap({ a: -0 })], [0xa1, 0x61, 0x61, 0x00]);
});
