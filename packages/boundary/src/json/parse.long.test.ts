import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { ErrorCode } from "../codes.ts";
import { CmcpError } from "../error.ts";
import { untrusted } from "../untrusted.ts";
import { parseJson, parseJsonText } from "./parse.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const parse = (text: string): unknown => parseJson(untrusted(bytes(text)));

function rejects(run: () => unknown, code: ErrorCode): void {
  assert.throws(run, { name: "CmcpError", code });
}

/** What platform parsers take and this one does not. */
const STRICTER: readonly string[] = ["JSON_DUPLICATE_KEY", "JSON_KEY_FORBIDDEN", "JSON_NUMBER_NOT_EXACT"];

const text = fc.string({ unit: "binary", maxLength: 30 });
const { value: json } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "medium", maxDepth: 8 },
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    text,
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("value"), { maxLength: 6 }),
    fc.dictionary(
      text.filter((key) => key !== "__proto__"),
      tie("value"),
      { maxKeys: 6, noNullPrototype: true },
    ),
  ),
}));

test("agrees with JSON.parse on everything JSON.stringify makes, spaced or not", () => {
  fc.assert(
    fc.property(json, fc.constantFrom(undefined, 2, "\t"), (value, space) => {
      const written = JSON.stringify(value, undefined, space);
      assert.deepEqual(parse(written), JSON.parse(written));
    }),
    { numRuns: 1000 },
  );
});

test("agrees with JSON.parse on mutated text, but for what it refuses on purpose", () => {
  const mutation = fc.record({
    at: fc.nat(),
    what: fc.constantFrom(...Array.from('{}[]",:0123456789.eE+-\\ untrfalse/\u0001\u00e9')),
    how: fc.constantFrom("set", "insert", "delete"),
  });
  let both = 0;
  let neither = 0;
  fc.assert(
    fc.property(json, fc.array(mutation, { minLength: 1, maxLength: 3 }), (value, mutations) => {
      const units = Array.from(JSON.stringify(value));
      for (const { at, what, how } of mutations)
        units.splice(at % (units.length + 1), how === "insert" ? 0 : 1, ...(how === "delete" ? [] : [what]));
      const mutated = units.join("");
      let platform: { value: unknown } | undefined;
      try {
        platform = { value: JSON.parse(mutated) };
      } catch {
        platform = undefined;
      }
      try {
        const mine = parse(mutated);
        assert.deepEqual(mine, platform?.value);
        assert.notEqual(platform, undefined, `accepted what JSON.parse refuses: ${mutated}`);
        both += 1;
      } catch (thrown) {
        assert.ok(thrown instanceof CmcpError, String(thrown));
        if (platform === undefined) neither += 1;
        else assert.ok(STRICTER.includes(thrown.code), `${thrown.code}: ${mutated}`);
      }
    }),
    { numRuns: 5000 },
  );
  assert.ok(both > 100 && neither > 1000, `both verdicts are exercised: ${both} accepted, ${neither} refused`);
});

const refused: readonly { code: ErrorCode; texts: readonly string[] }[] = [
  {
    code: "JSON_SYNTAX",
    texts: [
      "",
      " ",
      "\ufeff{}",
      "{",
      "}",
      "[",
      "]",
      '{"a"}',
      '{"a":}',
      '{"a":1,}',
      "{,}",
      "{a:1}",
      "{'a':1}",
      "[1,]",
      "[,1]",
      "[1 2]",
      "1 2",
      "[1]]",
      "01",
      "-",
      "+1",
      ".5",
      "1.",
      "1e",
      "1e+",
      "0x1",
      "--1",
      "NaN",
      "Infinity",
      "-Infinity",
      "undefined",
      "True",
      "nul",
      "truefalse",
      '"',
      '"a',
      '"\\',
      '"\\x41"',
      '"\\u12"',
      '"\\u12g4"',
      '"\n"',
      '"\t"',
      '"\u0000"',
      '{"a\n":1}',
      "/* */1",
      "1//",
      "\u00a01",
      "\u000b1",
      '"\\ud800"',
      '"\\udc00\\ud800"',
      '{"\\ud800":1}',
      '["a", "\\udfff"]',
    ],
  },
  {
    code: "JSON_DUPLICATE_KEY",
    texts: ['{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '[{"b":{"a":1,"c":2,"a":3}}]', '{"":1,"":2}'],
  },
  { code: "JSON_KEY_FORBIDDEN", texts: ['{"__proto__":1}', '{"a":[{"__proto__":{}}]}', '{"\\u005f_proto__":1}'] },
  {
    code: "JSON_NUMBER_NOT_EXACT",
    texts: [
      "9007199254740993",
      "-9007199254740993",
      "0.10000000000000001",
      "1e400",
      "-1e400",
      "1e-400",
      "123456789012345678901",
      `1.${"0".repeat(70)}`,
      '{"a":[1.00000000000000001]}',
    ],
  },
];

for (const { code, texts } of refused) {
  for (const each of texts) {
    test(`${JSON.stringify(each).slice(0, 60)} is ${code}`, () => {
      rejects(() => parse(each), code);
    });
  }
}

test("a duplicate key is found in an object of any size, at any position", () => {
  for (let size = 1; size <= 20; size += 1) {
    const keys = Array.from({ length: size }, (_, index) => `key ${index}`);
    const object = (names: readonly string[]): string => `{${names.map((name) => `"${name}":1`).join(",")}}`;
    assert.equal(Object.keys(parse(object(keys)) as object).length, size);
    for (const key of keys)
      for (let at = 0; at <= size; at += 1)
        rejects(() => parse(object(keys.toSpliced(at, 0, key))), "JSON_DUPLICATE_KEY");
  }
});

test("text that looks odd but is JSON is taken", () => {
  const taken = [
    ' \t\r\n{ "a" : [ 1 , 2 ] } \n',
    "0",
    "-0",
    "1E2",
    "1e-7",
    "0.0000001",
    "0.00001",
    "1e-5",
    '"\\/\\b\\f\\n\\r\\t\\"\\\\"',
    '"\\ud83d\\ude00"',
    '"\u007f\u2028"',
    '{"constructor":1,"toString":2}',
    '{"__proto":1,"proto__":2}',
    '""',
    "[]",
    "{}",
  ];
  for (const each of taken) assert.deepEqual(parse(each), JSON.parse(each), each);
});

test("bytes that are not UTF-8 are JSON_INVALID_UTF8", () => {
  for (const hex of ["22ff22", "22c32822", "22eda08022", "22c0af22", "22f490808022", "22e282"]) {
    rejects(() => parseJson(untrusted(Buffer.from(hex, "hex"))), "JSON_INVALID_UTF8");
  }
});

test("depth: the limit passes, one more and 10 000 do not", () => {
  const limits = { maxBytes: 100_000, maxDepth: 64, maxItems: 100_000 };
  const nested = (levels: number, open: string, close: string): string =>
    `${open.repeat(levels)}1${close.repeat(levels)}`;
  for (const [open, close] of [
    ["[", "]"],
    ['{"a":', "}"],
  ] as const) {
    parseJsonText(nested(64, open, close), limits);
    rejects(() => parseJsonText(nested(65, open, close), limits), "JSON_TOO_DEEP");
    rejects(() => parseJsonText(nested(10_000, open, close), limits), "JSON_TOO_DEEP");
    rejects(() => parseJsonText(open.repeat(10_000), limits), "JSON_TOO_DEEP");
  }
});

test("items: values and keys count, and the limit is exact", () => {
  const limits = { maxBytes: 1000, maxDepth: 4, maxItems: 5 };
  parseJsonText("[1,2,3,4]", limits);
  rejects(() => parseJsonText("[1,2,3,4,5]", limits), "JSON_TOO_MANY_ITEMS");
  parseJsonText('{"a":1,"b":2}', limits);
  rejects(() => parseJsonText('{"a":1,"b":2,"c":3}', limits), "JSON_TOO_MANY_ITEMS");
});

test("size: bytes for bytes, characters for text, and the limit is exact", () => {
  const limits = { maxBytes: 6, maxDepth: 4, maxItems: 5 };
  assert.equal(parseJson(untrusted(bytes('"\u00e9\u00e9"')), limits), "\u00e9\u00e9");
  rejects(() => parseJson(untrusted(bytes('"\u00e9\u00e9a"')), limits), "JSON_TOO_LARGE");
  assert.equal(parseJsonText('"abcd"', limits), "abcd");
  rejects(() => parseJsonText('"abcde"', limits), "JSON_TOO_LARGE");
});

test("strings of 4 MB pass, plain, escaped throughout, unended, and as a key", () => {
  const limits = { maxBytes: 32 * 1024 * 1024, maxDepth: 4, maxItems: 10 };
  const million = 4 * 1024 * 1024;
  for (const unit of ["a", "\\n", "\\u0041", "\u20ac", "a\\\\", '\\"', "\\\\"]) {
    const written = `"${unit.repeat(Math.floor(million / unit.length))}"`;
    assert.equal(parseJsonText(written, limits), JSON.parse(written));
    assert.deepEqual(parseJsonText(`{${written}:1}`, limits), JSON.parse(`{${written}:1}`));
    rejects(() => parseJsonText(written.slice(0, -1), limits), "JSON_SYNTAX");
  }
  parseJsonText(`${" ".repeat(million)}1${"\n".repeat(million)}`, limits);
  rejects(() => parseJsonText("1".repeat(million), limits), "JSON_NUMBER_NOT_EXACT");
});

test("a control character is refused in every kind of string, and nothing of the string is said", () => {
  for (const control of Array.from({ length: 0x20 }, (_, unit) => String.fromCharCode(unit))) {
    for (const written of [
      `"hunter${control}2"`,
      `{"hunter${control}2":1}`,
      `"hunter\\n${control}2"`,
      `{"\\u0068unter${control}2":1}`,
      `["a",{"b":"hunter${control}\\""}]`,
    ]) {
      assert.throws(
        () => parseJsonText(written),
        (error: CmcpError) =>
          error.code === "JSON_SYNTAX" && !error.message.includes("hunter") && error.cause === undefined,
        JSON.stringify(written),
      );
    }
  }
});

test("messages carry a place and no content", () => {
  assert.throws(
    () => parse('{"token":"hunter2","token":"hunter3"}'),
    (error: CmcpError) =>
      /at character \d+$/.test(error.message) &&
      !/hunter|token/.test(error.message) &&
      typeof error.detail["offset"] === "number",
  );
});
