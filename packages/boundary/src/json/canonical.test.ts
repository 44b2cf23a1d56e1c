import assert from "node:assert/strict";
import { test } from "node:test";
import canonicalize from "canonicalize";
import * as fc from "fast-check";
import { CanonicalObject, canonicalBytes, canonicalText } from "./canonical.ts";
import { parseJsonText } from "./parse.ts";
import type { JsonValue } from "./value.ts";

const fromBits = (hex: string): number => Buffer.from(hex, "hex").readDoubleBE(0);
const refused = (value: unknown): void => {
  assert.throws(() => canonicalText(value as JsonValue), { name: "CmcpError", code: "JSON_NOT_CANONICALIZABLE" });
};

// RFC 8785 appendix B.
const numbers: readonly (readonly [string, string])[] = [
  ["0000000000000000", "0"],
  ["8000000000000000", "0"],
  ["0000000000000001", "5e-324"],
  ["8000000000000001", "-5e-324"],
  ["7fefffffffffffff", "1.7976931348623157e+308"],
  ["ffefffffffffffff", "-1.7976931348623157e+308"],
  ["4340000000000000", "9007199254740992"],
  ["c340000000000000", "-9007199254740992"],
  ["4430000000000000", "295147905179352830000"],
  ["44b52d02c7e14af5", "9.999999999999997e+22"],
  ["44b52d02c7e14af6", "1e+23"],
  ["44b52d02c7e14af7", "1.0000000000000001e+23"],
  ["444b1ae4d6e2ef4e", "999999999999999700000"],
  ["444b1ae4d6e2ef4f", "999999999999999900000"],
  ["444b1ae4d6e2ef50", "1e+21"],
  ["3eb0c6f7a0b5ed8c", "9.999999999999997e-7"],
  ["3eb0c6f7a0b5ed8d", "0.000001"],
  ["41b3de4355555553", "333333333.3333332"],
  ["41b3de4355555554", "333333333.33333325"],
  ["41b3de4355555555", "333333333.3333333"],
  ["41b3de4355555556", "333333333.3333334"],
  ["41b3de4355555557", "333333333.33333343"],
  ["becbf647612f3696", "-0.0000033333333333333333"],
  ["43143ff3c1cb0959", "1424953923781206.2"],
];

test("numbers are written as in RFC 8785 appendix B", () => {
  for (const [bits, text] of numbers) assert.equal(canonicalText([fromBits(bits)]), `[${text}]`, bits);
  for (const bits of ["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"]) refused([fromBits(bits)]);
});

test("strings and literals are written as in RFC 8785 section 3.2.2", () => {
  const value = {
    numbers: [Number("333333333.33333329"), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
    string: "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
    literals: [null, true, false],
  };
  const text =
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}';
  assert.equal(canonicalText(value), text);
  assert.equal(Buffer.from(canonicalBytes(value)).toString("utf8"), text);
});

test("every character of ASCII and the next is written as ECMA-262 has it, by itself, among others and in a key", () => {
  for (let unit = 0; unit <= 0xff; unit += 1) {
    for (const text of [String.fromCharCode(unit), `a${String.fromCharCode(unit)}z`]) {
      assert.equal(canonicalText([text]), JSON.stringify([text]), `unit ${unit}`);
      assert.equal(canonicalText({ [text]: 1 }), JSON.stringify({ [text]: 1 }), `unit ${unit}`);
    }
  }
});

test("keys are sorted by UTF-16 code unit, as in RFC 8785 section 3.2.3", () => {
  const keys = ["\u20ac", "\r", "\ufb33", "1", "\ud83d\ude00", "\u0080", "\u00f6"];
  const text = canonicalText(Object.fromEntries(keys.map((key) => [key, 0])));
  assert.deepEqual(
    Object.keys(JSON.parse(text) as object).filter((key) => key !== "1"),
    ["\r", "\u0080", "\u00f6", "\u20ac", "\ud83d\ude00", "\ufb33"],
  );
  assert.ok(text.startsWith('{"\\r":0,"1":0,'));
  assert.equal(canonicalText({ b: { d: 1, c: 2 }, a: [{ z: 1, y: 2 }] }), '{"a":[{"y":2,"z":1}],"b":{"c":2,"d":1}}');
});

const json = fc
  .jsonValue({ maxDepth: 6, noUnicodeString: false })
  .map((value) => JSON.parse(JSON.stringify(value)) as JsonValue);

test("canonical text is read back as the value, by the strict parser, and is its own canonical form", () => {
  fc.assert(
    fc.property(json, (value) => {
      const text = canonicalText([value]);
      assert.deepEqual(JSON.parse(text), [value]);
      assert.equal(canonicalText(JSON.parse(text) as JsonValue), text);
      if (!text.includes('"__proto__"')) assert.deepEqual(parseJsonText(text), [value]);
    }),
    { numRuns: 500 },
  );
});

test("the order in which keys were set does not matter", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.integer(), { noNullPrototype: true }), fc.nat(), (record, seed) => {
      const entries = Object.entries(record);
      const turned = entries.map((_, index) => entries[(index + seed) % entries.length] ?? ["", 0]);
      assert.equal(canonicalText(Object.fromEntries(turned)), canonicalText(Object.fromEntries(entries)));
    }),
  );
});

test("it is the text a library for RFC 8785 writes, whatever the keys and numbers", () => {
  const key = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.nat(20).map(String),
    fc.constantFrom("__proto__", "constructor", "toString", "toJSON", "length", "é", "\u2028"),
  );
  const scalar = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.string({ unit: "grapheme" }),
    fc.boolean(),
    fc.constant(null),
  );
  const { tree } = fc.letrec<{ tree: JsonValue }>((tie) => ({
    tree: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      scalar,
      fc.array(tie("tree")),
      fc.array(fc.tuple(key, tie("tree"))).map((members) => Object.fromEntries(members)),
    ),
  }));
  fc.assert(
    fc.property(tree, (value) => assert.equal(canonicalText([value]), canonicalize([value]))),
    { numRuns: 1000 },
  );
});

class Point {
  x = 1;
}

const holes: unknown[] = [1];
holes[2] = 3;

const notJson: readonly { what: string; value: unknown }[] = [
  { what: "undefined", value: undefined },
  { what: "a function", value: () => 1 },
  { what: "a symbol", value: Symbol("s") },
  { what: "a bigint", value: 1n },
  { what: "NaN", value: Number.NaN },
  { what: "Infinity", value: Number.POSITIVE_INFINITY },
  { what: "a map", value: new Map([["a", 1]]) },
  { what: "a set", value: new Set([1]) },
  { what: "a date", value: new Date(0) },
  { what: "bytes", value: Uint8Array.of(1) },
  { what: "a boxed number", value: Object(1) },
  { what: "a regular expression", value: /a/ },
  { what: "an instance of a class", value: new Point() },
  { what: "a sparse array", value: holes },
  { what: "an array with a named member", value: Object.assign([1], { a: 1 }) },
  { what: "an array of a class of its own", value: new (class extends Array<number> {})() },
  { what: "an object with a symbol key", value: { [Symbol("s")]: 1 } },
  { what: "an object with a hidden toJSON", value: Object.defineProperty({}, "toJSON", { value: () => "forged" }) },
  { what: "an object with its own toJSON", value: { toJSON: () => "forged" } },
  { what: "a lone high surrogate", value: "\ud800" },
  { what: "a lone low surrogate", value: "a\udc00" },
  { what: "a key with a lone surrogate", value: { "\ud800": 1 } },
];

for (const { what, value } of notJson) {
  test(`${what} has no canonical form, at the top or inside`, () => {
    refused(value);
    refused([value]);
    refused({ a: { b: [value] } });
  });
}

test("an object without a prototype has one", () => {
  assert.equal(canonicalText(Object.assign(Object.create(null) as object, { b: 1, a: 2 })), '{"a":2,"b":1}');
});

test("depth is bounded, and a cycle is too deep", () => {
  const nested = (levels: number): JsonValue => (levels === 0 ? 1 : [nested(levels - 1)]);
  assert.equal(canonicalText(nested(128)).length, 257);
  refused(nested(129));
  const cycle: unknown[] = [];
  cycle.push(cycle);
  refused(cycle);
});

test("a record written once is the same text by itself, inside another value, and with one member more", () => {
  const member = fc.tuple(fc.oneof(fc.string(), fc.constantFrom("__proto__", "a", "z")), json);
  fc.assert(
    fc.property(fc.array(member), member, (members, [name, value]) => {
      const record = Object.fromEntries(members);
      const written = CanonicalObject.of(record);
      assert.equal(written.text, canonicalText(record));
      assert.equal(canonicalText({ b: [written], a: 1 }), canonicalText({ b: [record], a: 1 }));
      if (Object.hasOwn(record, name))
        assert.throws(() => written.with(name, value), { code: "JSON_NOT_CANONICALIZABLE" });
      else
        assert.equal(
          written.with(name, value).text,
          canonicalText(Object.fromEntries([...Object.entries(record), [name, value]])),
        );
      assert.equal(written.text, canonicalText(record), "what it was made from is as before");
    }),
  );
});

for (const { what, value } of notJson) {
  test(`${what} is no member of a written record`, () => {
    assert.throws(() => CanonicalObject.of({ a: value }), { code: "JSON_NOT_CANONICALIZABLE" });
    assert.throws(() => CanonicalObject.of({}).with("a", value as JsonValue), { code: "JSON_NOT_CANONICALIZABLE" });
  });
}
