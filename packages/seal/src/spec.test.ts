import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import * as limits from "./binary-http/limits.ts";
import { MIN_PADDED_BYTES } from "./binary-http/padding.ts";
import { MAX_EXPANDED_BYTES } from "./hpke/hkdf.ts";
import { KDF_ID, SUITES } from "./hpke/suite.ts";
import { MAX_CHUNK_BYTES } from "./ohttp/chunk.ts";
import { SEALED_REQUEST_TYPE, SEALED_RESPONSE_TYPE } from "./ohttp/exchange.ts";
import { KEY_CONFIGS_TYPE, MAX_KEY_CONFIGS, MAX_KEY_CONFIGS_BYTES } from "./ohttp/key-config.ts";

const spec = await readFile(new URL("../SPEC.md", import.meta.url), "utf8");
const id = (value: number): string => `0x${value.toString(16).padStart(4, "0")}`;

test("the suites of the page are those of the code, in their order", () => {
  const rows = [...spec.matchAll(/^\| .+ AES-256-GCM \| (0x.+) \|$/gm)].map(([, row]) => row);
  assert.deepEqual(
    rows,
    SUITES.map(({ kem, aeadId }) =>
      [id(kem.id), id(KDF_ID), id(aeadId), kem.publicKeyBytes, kem.encapsulatedBytes].join(" | "),
    ),
  );
});

test("the bounds of the page are those of the code", () => {
  assert.ok(spec.includes(`an export has at most ${MAX_EXPANDED_BYTES} bytes`));
  for (const [row, value] of [
    ["bytes of a method", limits.MAX_METHOD_BYTES],
    ["bytes of a scheme", limits.MAX_SCHEME_BYTES],
    ["bytes of an authority", limits.MAX_AUTHORITY_BYTES],
    ["bytes of a path", limits.MAX_PATH_BYTES],
    ["fields of a section", limits.MAX_FIELDS],
    ["bytes of a name", limits.MAX_NAME_BYTES],
    ["bytes of a value", limits.MAX_VALUE_BYTES],
    ["bytes of all names and values of a section", limits.MAX_SECTION_BYTES],
    ["informational responses", limits.MAX_INFORMATIONAL],
    ["configurations of a list", MAX_KEY_CONFIGS],
    ["bytes of a list", MAX_KEY_CONFIGS_BYTES],
  ] as const)
    assert.ok(spec.includes(`| ${row} | ${value} |`), row);
  assert.ok(spec.includes(`at most ${MAX_CHUNK_BYTES} bytes of plaintext`));
  assert.ok(spec.includes(`power of two, from ${MIN_PADDED_BYTES} bytes`));
});

test("the media types of the page are those of the code", () => {
  for (const type of [KEY_CONFIGS_TYPE, SEALED_REQUEST_TYPE, SEALED_RESPONSE_TYPE])
    assert.ok(spec.includes(`\`${type}\``), type);
});
