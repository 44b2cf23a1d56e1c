import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";
import { examine, untrusted } from "./untrusted.ts";

test("marking a value changes nothing about it", () => {
  const bytes = Uint8Array.of(1, 2);
  assert.equal(examine(untrusted(bytes)), bytes);
});

test("in this package only the parser opens untrusted values", async () => {
  const folder = new URL(".", import.meta.url);
  const openers: string[] = [];
  for (const file of await readdir(folder, { recursive: true })) {
    if (!file.endsWith(".ts") || file.endsWith(".test.ts")) continue;
    if (/\bexamine\(/.test(await readFile(new URL(file, folder), "utf8"))) openers.push(file);
  }
  assert.deepEqual(openers, ["json/parse.ts"]);
});
