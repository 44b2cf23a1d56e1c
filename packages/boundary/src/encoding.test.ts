import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { fromBase64, fromBase64Url, fromHex, toBase64, toBase64Url, toHex } from "./encoding.ts";

test("hex, base64 and base64url agree with the platform's and come back", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      assert.equal(toHex(bytes), Buffer.from(bytes).toString("hex"));
      assert.equal(toBase64Url(bytes), Buffer.from(bytes).toString("base64url"));
      assert.deepEqual(fromHex(toHex(bytes)), Uint8Array.from(bytes));
      assert.deepEqual(fromHex(toHex(bytes).toUpperCase()), Uint8Array.from(bytes));
      assert.deepEqual(fromBase64Url(toBase64Url(bytes)), Uint8Array.from(bytes));
      assert.equal(toBase64(bytes), Buffer.from(bytes).toString("base64"));
      assert.deepEqual(fromBase64(toBase64(bytes)), Uint8Array.from(bytes));
    }),
  );
});

test("RFC 4648 section 10 vectors, in the URL alphabet and without padding", () => {
  for (const [plain, encoded] of [
    ["", ""],
    ["f", "Zg"],
    ["fo", "Zm8"],
    ["foo", "Zm9v"],
    ["foob", "Zm9vYg"],
    ["fooba", "Zm9vYmE"],
    ["foobar", "Zm9vYmFy"],
  ] as const) {
    assert.equal(toBase64Url(Buffer.from(plain)), encoded);
  }
  assert.equal(toBase64Url(Uint8Array.of(0xfb, 0xff)), "-_8");
});

test("text that is not the one encoding of some bytes is undefined", () => {
  for (const text of ["0", "0g", "zz", " 00", "00 ", "0x00", "\u0661\u0661"])
    assert.equal(fromHex(text), undefined, text);
  for (const text of ["A", "AAAAA", "AA==", "Zg=", "+/8", "-_9", "Zh", "A A", "AA\n", "\u00e9\u00e9"])
    assert.equal(fromBase64Url(text), undefined, text);
  for (const text of [
    "A",
    "AAAAA",
    "AA",
    "Zg=",
    "Zg===",
    "Z===",
    "====",
    "-_8=",
    "+/9=",
    "Zh==",
    "A A=",
    "AA=\n",
    "Zg==Zg==",
  ])
    assert.equal(fromBase64(text), undefined, text);
});

test("base64 and base64url decode at most one text to the same bytes", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Dw-z0189_=+/-]{0,12}$/), (text) => {
      const bytes = fromBase64Url(text);
      if (bytes !== undefined) assert.equal(toBase64Url(bytes), text);
      const standard = fromBase64(text);
      if (standard !== undefined) assert.equal(toBase64(standard), text);
    }),
    { numRuns: 1000 },
  );
});
