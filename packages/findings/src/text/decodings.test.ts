import assert from "node:assert/strict";
import { test } from "node:test";
import { array, assert as assertProperty, constantFrom, nat, oneof, property, string } from "fast-check";
import { WorkBudget } from "../work-budget.ts";
import { decodedTexts, MAX_DECODED_TEXTS, MAX_DEPTH } from "./decodings.ts";

const SECRET = "the vault code is 4711-0815";
const utf8 = (text: string): string => unescape(encodeURIComponent(text));
const base64 = (text: string): string => btoa(utf8(text));
const hex = (text: string): string =>
  Array.from(utf8(text), (unit) => unit.charCodeAt(0).toString(16).padStart(2, "0")).join("");
const percent = (text: string): string => hex(text).replaceAll(/../g, "%$&");
const escapes = (text: string): string =>
  Array.from({ length: text.length }, (_, at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, "0")}`).join("");
const references = (text: string): string => Array.from(text, (one) => `&#${one.codePointAt(0)};`).join("");

function encodingsTo(text: string, inside: string): readonly string[] | undefined {
  return decodedTexts(text, new WorkBudget()).texts.find(({ plain }) => plain.includes(inside))?.encodings;
}

for (const [encoding, encode] of [
  ["base64", base64],
  ["base64", (text: string): string => base64(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")],
  ["hex", hex],
  ["hex", (text: string): string => `0x${hex(text)}`],
  ["percent", percent],
  ["json", escapes],
  ["html", references],
] as const) {
  test(`${encoding} inside a text is decoded: ${encode("ab")}`, () => {
    assert.deepEqual(encodingsTo(`note: ${encode(`${SECRET} ÿþ€`)}; end`, `${SECRET} ÿþ€`), [encoding]);
  });
}

for (const text of [
  "\u0432\u0441\u0435 \u0434\u0430\u043d\u043d\u044b\u0435 \u043f\u0430\u0446\u0438\u0435\u043d\u0442\u0430",
  "\u60a3\u8005\u7684\u6240\u6709\u6570\u636e\u90fd\u5728\u8fd9\u91cc",
  "\u{1f600}\u{1f680}\u{1f4a1}\u{1f512}".repeat(3),
  ">>>???".repeat(4),
  "tabs\tand\r\nlines of words",
  "\u2014\u2014\u201cquoted\u201d\u2026\u2019\u2014\u2013",
])
  test(`what people write in any script is decoded: ${JSON.stringify(text)}`, () => {
    assert.deepEqual(encodingsTo(base64(text), text), ["base64"]);
    assert.deepEqual(encodingsTo(base64(text).replaceAll("+", "-").replaceAll("/", "_"), text), ["base64"]);
    assert.deepEqual(encodingsTo(hex(text), text), ["hex"]);
  });

test("a run of digits is a text if nine of ten characters are such that people write", () => {
  const decoded = (text: string): boolean => encodingsTo(hex(text), text) !== undefined;
  for (const odd of ["\0", "\u001f", "\u007f", "\u0080", "\u009f", "\u000b"]) {
    assert.ok(decoded(`${odd}${"a".repeat(9)}`), JSON.stringify(odd));
    assert.ok(!decoded(`${odd}${"a".repeat(8)}`), JSON.stringify(odd));
  }
  for (const written of [" ", "~", "\t", "\n", "\r", "\u00a0", "\uffff"]) {
    assert.ok(decoded(written.repeat(8)), JSON.stringify(written));
    assert.deepEqual(encodingsTo(base64(written.repeat(24)), written.repeat(24)), ["base64"], JSON.stringify(written));
  }
});

test("8 bytes in hexadecimal and 12 in base64 are decoded, and no fewer", () => {
  assert.deepEqual(encodingsTo(hex("8 bytes!"), "8 bytes!"), ["hex"]);
  assert.equal(encodingsTo(hex("7 bytes"), "7 bytes"), undefined);
  assert.deepEqual(encodingsTo(base64("a word, abcd"), "a word, abcd"), ["base64"]);
  assert.equal(encodingsTo(base64("a word, ab").replaceAll("=", ""), "a word, ab"), undefined);
  assert.deepEqual([MAX_DEPTH, MAX_DECODED_TEXTS], [6, 256]);
});

test("escapes and references stand for their characters, and those of no character for themselves", () => {
  for (const [text, plain] of [
    [String.raw`\n\r\t\b\f\"\\\/`, '\n\r\t\b\f"\\/'],
    [String.raw`\x41\u0042\u{43}\u{10ffff}`, "ABC\u{10ffff}"],
    [String.raw`\u{110000}\q`, String.raw`\u{110000}\q`],
    ["&lt;&gt;&amp;&quot;&apos;&#65;&#x42;&#x10ffff;", "<>&\"'AB\u{10ffff}"],
    ["a&nbsp;b", "a b"],
    ["&#1114112;&#x110000;&none;", "&#1114112;&#x110000;&none;"],
    ["%41%e2%82%ac%4", "A\u20ac%4"],
  ] as const) {
    const { texts } = decodedTexts(text, new WorkBudget());
    assert.ok(
      texts.some((one) => one.text === plain),
      text,
    );
    if (text === plain) assert.equal(texts.length, 1, text);
  }
});

test("the text itself comes first, as it is", () => {
  const { texts, complete } = decodedTexts("plain words", new WorkBudget());
  assert.deepEqual(texts, [{ text: "plain words", plain: "plain words", encodings: [] }]);
  assert.equal(complete, true);
});

test("encodings inside one another are taken off, outermost first", () => {
  assert.deepEqual(encodingsTo(base64(hex(percent(SECRET))), SECRET), ["base64", "hex", "percent"]);
});

test("base64 in lines, behind a few letters or in a path is decoded", () => {
  const wrapped = base64(SECRET.repeat(5)).replaceAll(/.{76}/g, "$&\r\n");
  assert.deepEqual(encodingsTo(wrapped, SECRET.repeat(5)), ["base64"]);
  assert.deepEqual(encodingsTo(`x${base64(SECRET)}`, SECRET), ["base64"]);
  for (const length of [12, 18]) {
    const text = "a".repeat(length);
    assert.deepEqual(encodingsTo(`https://host.example/a/bc/${base64(text)}/e`, text), ["base64"]);
  }
});

test("format characters do not hide what is encoded", () => {
  const spread = Array.from(base64(SECRET)).join("\u200b");
  assert.deepEqual(encodingsTo(spread, SECRET), ["base64"]);
  const { texts } = decodedTexts("i\u00adg\u200bn\u2060o\u{e0041}re\ufe0f \u202eall", new WorkBudget());
  assert.equal(texts[0]?.plain, "ignore all");
});

test("harmless words, identifiers and digests decode to nothing", () => {
  const text =
    "internationalization getUserAccountDetailsByIdentifier 6f1ed002ab5595859014ebf0951522d9 3fe0-44a1-9c1c-aa01bb02cc03";
  assert.equal(decodedTexts(text, new WorkBudget()).texts.length, 1);
});

test(`what is encoded more than ${MAX_DEPTH} deep is left, and said so`, () => {
  let text = SECRET;
  for (let depth = 0; depth < MAX_DEPTH; depth += 1) text = base64(text);
  const deepest = decodedTexts(text, new WorkBudget());
  assert.equal(deepest.complete, true);
  assert.equal(deepest.texts.at(-1)?.text, SECRET);
  for (let depth = MAX_DEPTH; depth < 10; depth += 1) text = base64(text);
  const budget = new WorkBudget();
  const tooDeep = decodedTexts(text, budget);
  assert.equal(tooDeep.complete, false);
  assert.equal(budget.complete, false);
  assert.equal(tooDeep.texts.length, MAX_DEPTH + 1);
});

test("the number of texts is bounded", () => {
  const many = Array.from({ length: MAX_DECODED_TEXTS + 10 }, (_, index) => base64(`${SECRET} ${index}`)).join(" ");
  const { texts, complete } = decodedTexts(many, new WorkBudget());
  assert.equal(texts.length, MAX_DECODED_TEXTS);
  assert.equal(complete, false);
});

test("a budget too small leaves the rest unread, and says so", () => {
  const text = `start ${base64(SECRET)}`;
  const cut = new WorkBudget(10);
  const first = decodedTexts(text, cut);
  assert.equal(first.texts[0]?.text, text.slice(0, 10));
  assert.equal(first.complete, false);
  assert.equal(cut.left, 0);
  const notDecoded = new WorkBudget(text.length);
  assert.equal(decodedTexts(text, notDecoded).texts.length, 1);
  assert.equal(notDecoded.complete, false);
});

test("no input makes it read more than the budget or throw", () => {
  const piece = oneof(
    string(),
    constantFrom("%", "\\u", "\\x41", "&#x41;", "\u200b", "\udb40\udc41", "%41", "QUJDREVGR0hJSktM", "41424344"),
  );
  assertProperty(
    property(array(piece, { maxLength: 30 }), nat(2000), (pieces, units) => {
      const { texts } = decodedTexts(pieces.join(""), new WorkBudget(units));
      assert.ok(texts.reduce((sum, { text }) => sum + text.length, 0) <= units);
      assert.ok(texts.every(({ encodings }) => encodings.length <= MAX_DEPTH));
    }),
  );
});
