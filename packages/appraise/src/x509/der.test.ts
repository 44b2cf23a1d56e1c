import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { contextTag, DerReader, TAG } from "./der.ts";
import { booleanValue, integerBytes, oidText, smallInteger, timeValue } from "./value.ts";

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));
const reader = (hex: string): DerReader => new DerReader(bytes(hex), "a sample");
const time = (tag: number, text: string): Date =>
  timeValue({ tag, content: Uint8Array.from(Buffer.from(text)), whole: new Uint8Array() });

test("lengths are definite, shortest and within the bytes", () => {
  const refused = ["30", "3080", "308100", "30817f00", "30820080", "3003", "30840000000100", "1f0100", "02"];
  for (const hex of refused) assert.throws(() => reader(hex).next(), { code: "EVIDENCE_MALFORMED" }, hex);
  const long = reader(`308180${"00".repeat(128)}`).next(TAG.sequence);
  assert.deepEqual([long.content.length, long.whole.length], [128, 131]);
});

test("an element of another tag is refused, an optional one left alone", () => {
  const list = reader("0500a10301017f");
  assert.equal(list.optional(contextTag(1)), undefined);
  assert.throws(() => reader("0500").next(TAG.sequence), { message: /tag 5 instead of 48/ });
  assert.equal(list.next(TAG.null).content.length, 0);
  assert.throws(() => list.end(), { message: /bytes too many/ });
  assert.equal(list.enter(contextTag(1)).next().tag, TAG.boolean);
  list.end();
});

test("integers are shortest, and small ones not negative", () => {
  for (const hex of ["0200", "0202007f", "0202ff80"])
    assert.throws(() => integerBytes(reader(hex)), { code: "EVIDENCE_MALFORMED" }, hex);
  for (const hex of ["0201ff", "020701000000000000"])
    assert.throws(() => smallInteger(reader(hex)), { message: /out of range/ }, hex);
  assert.deepEqual(
    ["020100", "02020080", "0206010000000000"].map((hex) => smallInteger(reader(hex))),
    [0, 128, 2 ** 40],
  );
});

test("a boolean is 00 or ff", () => {
  assert.deepEqual(
    ["010100", "0101ff"].map((hex) => booleanValue(reader(hex).next())),
    [false, true],
  );
  for (const hex of ["010101", "0100", "0102ffff"])
    assert.throws(() => booleanValue(reader(hex).next()), { code: "EVIDENCE_MALFORMED" }, hex);
});

test("object identifiers have the text everybody gives them", () => {
  const known: readonly (readonly [string, string])[] = [
    ["2b06010401ba0004", "1.3.6.1.4.1.7424.4"],
    ["2a864886f70d01010a", "1.2.840.113549.1.1.10"],
    ["551d13", "2.5.29.19"],
    ["8837", "2.999"],
    ["00", "0.0"],
  ];
  for (const [hex, text] of known) assert.equal(oidText(bytes(hex)), text);
  for (const hex of ["", "80", "2a80", "2a81", "2a8001", "2affffffffffff7f", "2a".repeat(33)])
    assert.throws(() => oidText(bytes(hex)), { code: "EVIDENCE_MALFORMED" }, hex);
});

test("times are read in the two forms of RFC 5280 and no other", () => {
  assert.equal(time(TAG.utcTime, "491231235959Z").toISOString(), "2049-12-31T23:59:59.000Z");
  assert.equal(time(TAG.utcTime, "500101000000Z").toISOString(), "1950-01-01T00:00:00.000Z");
  assert.equal(
    time(TAG.generalizedTime, "20500229000000Z".replace("0229", "0228")).toISOString(),
    "2050-02-28T00:00:00.000Z",
  );
  const refused: readonly (readonly [number, string])[] = [
    [TAG.utcTime, "250230000000Z"],
    [TAG.utcTime, "251301000000Z"],
    [TAG.utcTime, "250101240000Z"],
    [TAG.utcTime, "250101006000Z"],
    [TAG.utcTime, "250101000060Z"],
    [TAG.utcTime, "2501010000Z"],
    [TAG.utcTime, "250101000000+0000"],
    [TAG.generalizedTime, "20250101000000.5Z"],
    [TAG.generalizedTime, "250101000000Z"],
    [TAG.ia5String, "250101000000Z"],
  ];
  for (const [tag, text] of refused) assert.throws(() => time(tag, text), { code: "EVIDENCE_MALFORMED" }, text);
});

test("what the reader takes apart is exactly what is there", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom(2, 3, 4, 0x30, 0xa0), fc.uint8Array({ maxLength: 300 })), { maxLength: 5 }),
      (elements) => {
        const encoded = elements.flatMap(([tag, content]) => [
          tag,
          ...(content.length < 128
            ? [content.length]
            : content.length < 256
              ? [0x81, content.length]
              : [0x82, content.length >> 8, content.length & 255]),
          ...content,
        ]);
        const found = new DerReader(Uint8Array.from(encoded), "a sample");
        for (const [tag, content] of elements) assert.deepEqual(found.next(tag).content, content);
        found.end();
      },
    ),
  );
});
