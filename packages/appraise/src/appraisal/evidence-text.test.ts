import assert from "node:assert/strict";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import * as fc from "fast-check";
import { evidenceBytes } from "./evidence-text.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
/** A report or quote begins with a number in little endian, so it has zeros and is no text; and in base64 it has more than hex digits. */
const binary = fc
  .uint8Array({ minLength: 1, maxLength: 200 })
  .map((bytes) => Uint8Array.from([4, 0, 2, 0xff, 0xff, 0xff, ...bytes]));

test("bytes stay as they are, and text is read as hex or base64 of either alphabet", () => {
  fc.assert(
    fc.property(binary, fc.constantFrom("sev-snp" as const, "tdx" as const), (bytes, platform) => {
      const hex = Buffer.from(bytes).toString("hex");
      const base64 = Buffer.from(bytes).toString("base64");
      const wrapped = base64.replaceAll(/(.{64})/g, "$1\n");
      for (const form of [
        hex,
        hex.toUpperCase(),
        `0x${hex}\n`,
        wrapped,
        `${base64}\n`,
        Buffer.from(bytes).toString("base64url"),
      ])
        assert.deepEqual(evidenceBytes(platform, text(form)), bytes, form);
      assert.deepEqual(evidenceBytes(platform, bytes), bytes);
      const member = platform === "tdx" ? "quote" : "report";
      assert.deepEqual(evidenceBytes(platform, text(` {"${member}":"${hex}","event_log":"[]"}`)), bytes);
    }),
  );
});

test("what is none of these is left for the parser to refuse", () => {
  for (const form of [
    "",
    "not evidence!",
    "{",
    "{}",
    '{"quote":7}',
    '{"quote":"***"}',
    '{"report":"00","report":"00"}',
    "=====",
    "\u0000",
  ]) {
    const bytes = text(form);
    assert.equal(evidenceBytes("tdx", bytes), bytes, form);
  }
});

test("text of blanks that ends amiss takes no longer for each", () => {
  // In a context of its own, whose end comes from outside: nothing in it would be asked before the search is over.
  const read = (file: Uint8Array): unknown =>
    runInNewContext("read()", { read: () => evidenceBytes("tdx", file) }, { timeout: 20_000 });
  const file = text(`AAAA${"\n".repeat(250_000)}!`);
  assert.equal(read(file), file);
  const member = text(JSON.stringify({ quote: `AAAA${" ".repeat(4_000_000)}!` }));
  assert.equal(read(member), member);
});
