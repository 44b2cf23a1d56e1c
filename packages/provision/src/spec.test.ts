import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import {
  MAX_CREDENTIALS,
  MAX_PROVISION_BYTES,
  MAX_PROVISIONED_TOKENS,
  MAX_TOKEN_WORKFLOWS,
  STORAGE_KEY_BYTES,
} from "./message.ts";
import { NONCE_BYTES, STORAGE_INFO } from "./stored-set.ts";
import { MAX_STATEMENT_BYTES, MAX_VALIDITY_SECONDS, PURPOSE } from "./statement.ts";

const spec = await readFile(new URL("../SPEC.md", import.meta.url), "utf8");

test("the bounds of the page are those of the code", () => {
  for (const text of [
    `Canonical JSON, at most ${MAX_PROVISION_BYTES} bytes.`,
    `at most ${MAX_PROVISIONED_TOKENS} of \`{principal, sha256, workflows?}\``,
    `the 1 to ${MAX_TOKEN_WORKFLOWS} that the token is for`,
    `1 to ${MAX_CREDENTIALS} of \`{name, value}\``,
    `at most ${MAX_STATEMENT_BYTES} bytes. Any other spelling`,
    `for at most ${MAX_VALIDITY_SECONDS} seconds`,
    `\`storage_key\`, ${STORAGE_KEY_BYTES} bytes in base64url`,
    `The nonce is ${NONCE_BYTES} random bytes`,
    `\`info\` is \`${STORAGE_INFO}\` and the origin`,
    `| \`purpose\` | \`${PURPOSE}\` |`,
  ])
    assert.ok(spec.includes(text), text);
});
