/** The numbers of SPEC.md are those of the code. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  MAX_CBOR_DEPTH,
  MAX_CBOR_ITEMS,
  MAX_MANIFEST_BYTES,
  MAX_MANIFEST_DEPTH,
  MAX_MANIFEST_ITEMS,
  MAX_REVOCATIONS_BYTES,
  MAX_REVOCATIONS_SECONDS,
  MAX_REVOKED_MANIFESTS,
  MAX_REVOKED_NAMES,
  PROBLEMS,
} from "./index.ts";
import { SIGNED_MEMBERS } from "./members.ts";

const page = readFileSync(new URL("../SPEC.md", import.meta.url), "utf8");

test("the page has each bound", () => {
  for (const [number, text] of [
    [MAX_MANIFEST_BYTES, "A manifest is at most N bytes"],
    [MAX_MANIFEST_DEPTH, "its JSON at most N levels deep"],
    [MAX_MANIFEST_ITEMS, "of at most N values and keys"],
    [MAX_CBOR_ITEMS, "at most N items"],
    [MAX_CBOR_DEPTH, "what is skipped at most N levels deep"],
    [MAX_REVOCATIONS_BYTES, "in JSON, at most N bytes"],
    [MAX_REVOCATIONS_SECONDS, "for at most N seconds"],
    [MAX_REVOKED_MANIFESTS, "at most N ids"],
    [MAX_REVOKED_NAMES, "at most N SPIFFE IDs"],
    [MAX_REVOKED_NAMES, "at most N hex SHA-256 of keys"],
  ] as const)
    assert.ok(page.includes(text.replace(/\bN\b/, String(number))), text);
});

test("the page has every member and every reason", () => {
  for (const name of SIGNED_MEMBERS) assert.match(page, new RegExp(`\`${name}\\??\``), name);
  for (const reason of Object.keys(PROBLEMS)) assert.ok(page.includes(`\`${reason}\``), reason);
});
