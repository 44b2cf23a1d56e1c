import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { ACCESS_FORMAT } from "./access.ts";
import { ANSWER_FORMAT } from "./answer.ts";
import {
  ID_BYTES,
  MAX_ANSWER_BYTES,
  MAX_APPROVAL_SECONDS,
  MAX_APPROVERS,
  MAX_AUTHENTICATOR_DATA_BYTES,
  MAX_CLIENT_DATA_BYTES,
  MAX_DISCLOSURE_NAME,
  MAX_NAMED,
  MAX_NOTICE_BYTES,
  MAX_PERMISSION_LENGTH,
  MAX_REASON,
  MAX_REQUEST_BYTES,
  SALT_BYTES,
} from "./limits.ts";
import { NOTICE_FORMAT } from "./notice.ts";
import { REQUEST_FORMAT } from "./request.ts";
import { ASSERTION_CHECKS } from "./webauthn/verify-assertion.ts";

const spec = await readFile(new URL("../SPEC.md", import.meta.url), "utf8");

test("the bounds and names of the page are those of the code", () => {
  for (const text of [
    `\`{request, signature}\`, at most ${MAX_REQUEST_BYTES} bytes`,
    `| \`format\` | \`${REQUEST_FORMAT}\` |`,
    `| \`format\` | \`${ANSWER_FORMAT}\` |`,
    `| \`format\` | \`${ACCESS_FORMAT}\` |`,
    `| \`format\` | \`${NOTICE_FORMAT}\` |`,
    `\`{notice, signature}\`, at most ${MAX_NOTICE_BYTES} bytes`,
    `| \`approval_id\` | ${ID_BYTES} random bytes`,
    `| \`random\` | ${ID_BYTES} random bytes`,
    `| \`salt\` | ${SALT_BYTES} random bytes`,
    `has at most ${MAX_NAMED} of`,
    `numbers by class, at most ${MAX_NAMED}`,
    `1 to ${MAX_APPROVERS} distinct names`,
    `at most ${MAX_APPROVAL_SECONDS} apart`,
    `\`{answer, assertion}\`, at most ${MAX_ANSWER_BYTES} bytes`,
    `\`{access, assertion}\`, at most ${MAX_ANSWER_BYTES} bytes`,
    `\`{permission, salt, assertion}\`, at most ${MAX_ANSWER_BYTES} bytes`,
    `\`salt\` is ${SALT_BYTES} random bytes`,
    `1 to ${MAX_NAMED} distinct compartments`,
    `Names have 1 to ${MAX_DISCLOSURE_NAME} UTF-16 units. The canonical JSON of \`permission\` has at most ${MAX_PERMISSION_LENGTH}.`,
    `1 to ${MAX_REASON} UTF-16 units`,
    `strict JSON of at most ${MAX_CLIENT_DATA_BYTES} bytes`,
    `at most ${MAX_AUTHENTICATOR_DATA_BYTES} in all`,
  ])
    assert.ok(spec.includes(text), text);
  for (const check of ASSERTION_CHECKS) assert.ok(spec.includes(`\`${check}\``), check);
});
