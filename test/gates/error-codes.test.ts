/** Every error code is met by a test and produced by a source: none belongs to a feature that does not exist. */
import assert from "node:assert/strict";
import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ERROR_CODES } from "@cmcp/boundary";

const root = fileURLToPath(new URL("../..", import.meta.url));
const SOURCES = [
  "packages/*/src/**/*.ts",
  "attestation/src/**/*.ts",
  "host-proxy/src/**/*.ts",
  "enclave-image/src/**/*.ts",
  "test/**/*.ts",
  "test/**/expected.json",
];
const LIST = "packages/boundary/src/codes.ts";
const OWN = "test/gates/error-codes.test.ts";

const isTest = (file: string): boolean =>
  /\.(?:test|vm)\.ts$/.test(file) || (file.startsWith("test/") && !file.includes("/testing/"));

/** Codes named by files, as literals: in quotes, or as a whole word of a pattern. */
async function namedIn(wanted: (file: string) => boolean): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const pattern of SOURCES) {
    for await (const file of glob(pattern, { cwd: root, exclude: (path) => path.includes("node_modules") })) {
      if (file === LIST || file === OWN || !wanted(file)) continue;
      for (const [word] of (await readFile(join(root, file), "utf8")).matchAll(
        /\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|\b(?:USAGE|INTERNAL|UNAUTHENTICATED|OVERLOADED)\b/g,
      ))
        if (Object.hasOwn(ERROR_CODES, word)) found.set(word, file);
    }
  }
  return found;
}

const without = (found: ReadonlyMap<string, string>): string[] =>
  Object.keys(ERROR_CODES).filter((code) => !found.has(code));

test("every code is named by a test", async () => {
  const tested = await namedIn(isTest);
  assert.ok(tested.size > 100, "the tests were read");
  assert.deepEqual(without(tested), []);
});

test("every code is produced by a source", async () => {
  const produced = await namedIn((file) => !isTest(file) && !/\/(?:testing|test-support)/.test(file));
  assert.ok(produced.size > 100, "the sources were read");
  assert.deepEqual(without(produced), []);
});
