/** Every error code is met by a test, or is said to belong to a feature this version does not have. */
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

/** Codes of the format whose feature is not built: nothing here may produce one. They keep their meaning for later versions. */
const RESERVED: Readonly<Record<string, string>> = {
  ATTESTATION_PROVIDER_NOT_IMPLEMENTED:
    "every provider of the format is built but opaque, which CONFIG_NOT_SUPPORTED refuses",
  AGENT_MANIFEST_BINDING_FAILED: "agent manifests",
  AGENT_MANIFEST_MISMATCH: "agent manifests",
  SESSION_RESET_REQUIRED:
    "what a session has seen is a denial like any other, 403 with SESSION_SENSITIVITY_POLICY_DENY; docs/decisions/session-reset.md says why",
  RESPONSE_INJECTION_DETECTED: "results are not scanned for injection",
  BREAK_GLASS_ACTIVE: "signed catalog exceptions",
  EXTERNAL_EVIDENCE_VERIFICATION_FAILED: "external receipts",
};

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

test("every code that is not reserved is named by a test", async () => {
  const tested = await namedIn(isTest);
  assert.ok(tested.size > 100, "the tests were read");
  assert.deepEqual(
    Object.keys(ERROR_CODES).filter((code) => !tested.has(code) && RESERVED[code] === undefined),
    [],
  );
});

test("every code that is not reserved is produced by a source, and no reserved one is", async () => {
  const produced = await namedIn((file) => !isTest(file) && !/\/(?:testing|test-support)/.test(file));
  assert.ok(produced.size > 100, "the sources were read");
  assert.deepEqual(
    Object.keys(ERROR_CODES).filter((code) => !produced.has(code) && RESERVED[code] === undefined),
    [],
  );
  for (const [code, why] of Object.entries(RESERVED))
    assert.equal(produced.get(code), undefined, `reserved for: ${why}`);
});
