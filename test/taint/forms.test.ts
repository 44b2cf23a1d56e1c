import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { namesIn, needleOf } from "./forms.ts";

const TEXT = "agent0123abcd-/x";
const needles = [needleOf("it", TEXT), needleOf("another", "never there")];

test("a text is found in every form, wherever it stands", () => {
  const hex = Buffer.from(TEXT).toString("hex");
  const escaped = [...Buffer.from(TEXT)].map((byte) => `\\u${byte.toString(16).padStart(4, "0")}`).join("");
  const percent = [...Buffer.from(TEXT)].map((byte) => `%${byte.toString(16)}`).join("");
  const forms: readonly (string | Buffer)[] = [
    TEXT,
    hex,
    hex.toUpperCase(),
    escaped,
    percent,
    percent.toUpperCase(),
    encodeURIComponent(TEXT),
    JSON.stringify(TEXT).replaceAll("/", "\\/"),
    Buffer.from(TEXT, "utf16le"),
    Buffer.from(TEXT, "utf16le").swap16(),
  ];
  for (const form of forms) assert.deepEqual(namesIn(Buffer.concat(["{", form, "}"].map(bytesOf)), needles), ["it"]);
  for (let before = 0; before < 6; before += 1)
    for (const encoding of ["base64", "base64url"] as const) {
      const bytes = Buffer.concat([Buffer.alloc(before, 0xfb), Buffer.from(TEXT), Buffer.alloc(before, 0xff)]);
      assert.deepEqual(namesIn(Buffer.from(bytes.toString(encoding)), needles), ["it"], `${encoding} ${before}`);
    }
});

test("a text is found in what is packed, and packed again, and in base64 of it", () => {
  const long = Buffer.concat([Buffer.alloc(1_000, "a"), Buffer.from(TEXT), Buffer.alloc(1_000, "b")]);
  for (const pack of [gzipSync, deflateSync, zstdCompressSync]) {
    const packed = pack(long);
    assert.deepEqual(namesIn(Buffer.concat([Buffer.from("before "), packed]), needles), ["it"], pack.name);
    assert.deepEqual(namesIn(gzipSync(packed), needles), ["it"], pack.name);
  }
  for (const pack of [gzipSync, zstdCompressSync])
    assert.deepEqual(namesIn(Buffer.from(`{"a":"${pack(long).toString("base64")}"}`), needles), ["it"], pack.name);
  const cut = gzipSync(Buffer.concat([long, randomBytes(4_000)])).subarray(0, -2_000);
  assert.deepEqual(namesIn(cut, needles), ["it"], "one that was cut");
});

function bytesOf(part: string | Buffer): Buffer {
  return typeof part === "string" ? Buffer.from(part) : part;
}
