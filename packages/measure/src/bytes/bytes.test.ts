import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, extendAll } from "./digest.ts";
import { commandLineBytes, isAscii, MAX_COMMAND_LINE, utf16WithNul } from "./text.ts";

const INVALID = { code: "MEASURE_INPUT_INVALID" };

test("a register extends in order and starts as zeros of its bank's length", () => {
  const [a, b] = [digestOf("sha256", Uint8Array.of(1)), digestOf("sha256", Uint8Array.of(2))];
  assert.equal(extendAll("sha256", []), "00".repeat(32));
  assert.equal(extendAll("sha384", []), "00".repeat(48));
  const once = digestOf("sha256", new Uint8Array(32), a);
  assert.equal(extendAll("sha256", [a, b]), Buffer.from(digestOf("sha256", once, b)).toString("hex"));
  assert.notEqual(extendAll("sha256", [a, b]), extendAll("sha256", [b, a]));
});

test("a command line is text that the kernel takes whole", () => {
  assert.deepEqual(commandLineBytes("a=ü"), new TextEncoder().encode("a=ü"));
  assert.equal(commandLineBytes("x".repeat(MAX_COMMAND_LINE)).length, MAX_COMMAND_LINE);
  for (const text of ["x".repeat(MAX_COMMAND_LINE + 1), "ü".repeat(1024), "a\nb", "a\0", "\u007f", "a\u001f"])
    assert.throws(() => commandLineBytes(text), INVALID);
  assert.deepEqual(["", "a=~\u007f", "é", "a=\u0080", "€"].map(isAscii), [true, true, false, false, false]);
  assert.deepEqual([...utf16WithNul("aé")], [0x61, 0, 0xe9, 0, 0, 0]);
});
