import assert from "node:assert/strict";
import { test } from "node:test";
import { plainText } from "./plain-text.ts";

const percent = (...bytes: readonly number[]): string =>
  bytes.map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
/** A character in UTF-8 of more bytes than it needs, which some readers take. */
const overlong = (point: number, length: number): string => {
  const rest = Array.from({ length: length - 1 }, (_, index) => 0x80 | ((point >> (6 * (length - 2 - index))) & 0x3f));
  const lead = ((0xff << (8 - length)) & 0xff) | (point >> (6 * (length - 1)));
  return percent(lead, ...rest);
};

test("a character of ASCII in more bytes than it needs is that character", () => {
  for (let point = 0x20; point < 0x7f; point += 1) {
    const character = String.fromCharCode(point);
    for (const length of [2, 3, 4]) {
      const { text, complete } = plainText(`a${overlong(point, length)}b`);
      assert.deepEqual([text, complete], [`a${character}b`, true], `${character} in ${length} bytes`);
    }
  }
});

test("a character beyond ASCII in more bytes than it needs is not read", () => {
  for (const [point, length] of [
    [0x80, 3],
    [0x7ff, 3],
    [0x80, 4],
    [0xffff, 4],
  ] as const)
    assert.equal(plainText(overlong(point, length)).complete, false, `${point} in ${length} bytes`);
  for (const text of ["\u0080", "\u07ff", "\uffff", "\u{10ffff}"])
    assert.equal(plainText(encodeURIComponent(text)).complete, true, text);
});

test("a byte that begins no character, and one whose character ends early, is not read, and what follows is", () => {
  for (const bytes of [[0xc0], [0xdf], [0xe0, 0x80], [0xef, 0x80], [0xf0, 0x80, 0x80], [0xf7, 0x80, 0x80]]) {
    const { text, complete } = plainText(`a${percent(...bytes)}`);
    assert.ok(text.startsWith("a\ufffd") && !complete, bytes.join());
  }
  for (const byte of [0x80, 0xbf, 0xf8, 0xff]) {
    const { text, complete } = plainText(`a${percent(byte, 0xc0, 0xae)}`);
    assert.deepEqual([text, complete], ["a\ufffd.", false], String(byte));
  }
});

test("a character beyond ASCII beside a byte that begins none is not read, and neither is ASCII in five bytes", () => {
  for (const bytes of [
    [0xd0, 0xae],
    [0xe8, 0x80, 0xae],
    [0xf4, 0x80, 0x80, 0xae],
    [0xf8, 0x80, 0x80, 0xae],
    [0xf8, 0x80, 0x80, 0x80, 0xae],
    [0xfc, 0x80, 0x80, 0x80, 0x80, 0xae],
  ]) {
    const { text, complete } = plainText(`${percent(...bytes, 0xff)}a`);
    assert.deepEqual([text, complete], [`${"\ufffd".repeat(bytes.length + 1)}a`, false], bytes.join());
  }
});

test("a NUL ends a text, and other control characters go", () => {
  assert.deepEqual(plainText("a\0b"), { text: "a", complete: true, control: true });
  assert.deepEqual(plainText("\0b"), { text: "", complete: true, control: true });
  assert.deepEqual(plainText("a%00b"), { text: "a", complete: true, control: true });
  assert.deepEqual(plainText("a\u0001b\u007f"), { text: "ab", complete: true, control: true });
  assert.deepEqual(plainText("ab"), { text: "ab", complete: true, control: false });
});

test("a code unit behind %u is that unit, in either case", () => {
  assert.equal(plainText("%u0041%U0042").text, "AB");
  assert.equal(plainText("%ud83d%ude00").text, "\u{1f600}");
  assert.equal(plainText("%ud83d").complete, false);
});
