import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { renderVerdict, verifyBundle } from "@cmcp/verify";

const bundle = new TextEncoder().encode("{}");
const verdict = await verifyBundle({ bundle }, { allowSoftwareOnly: true }, webcrypto);
const [headline, ...checks] = renderVerdict(verdict);
assert.equal(headline?.tone, "bad");
assert.ok(checks.some(({ text }) => text.includes("[BUNDLE_MALFORMED]")));
