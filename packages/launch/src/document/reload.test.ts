import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { CmcpError, untrusted } from "@cmcp/boundary";
import { buildReload, parseReload } from "../index.ts";

const BUNDLE = {
  "manifest.json": "{}",
  "schema.cedarschema": "",
  "a/b.cedar": "permit (principal, action, resource);",
};
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("a reload message reads back as it was", () => {
  assert.deepEqual(parseReload(untrusted(buildReload({ policy_bundle: BUNDLE }))), { v: 1, policy_bundle: BUNDLE });
});

test("anything else is a typed refusal", () => {
  const good = buildReload({ policy_bundle: BUNDLE });
  const mutated = fc
    .tuple(fc.nat(good.byteLength - 1), fc.nat(255))
    .map(([at, byte]) => Uint8Array.from(good, (was, index) => (index === at ? byte : was)));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), mutated, fc.json().map(bytes)), (input) => {
      try {
        assert.equal(parseReload(untrusted(input)).v, 1);
      } catch (thrown) {
        assert.ok(thrown instanceof CmcpError && thrown.code === "RELOAD_INVALID", String(thrown));
      }
    }),
  );
  for (const text of [
    "",
    "{}",
    '{"v":2,"policy_bundle":{}}',
    '{"v":1,"policy_bundle":{"../x.cedar":""}}',
    '{"v":1,"policy_bundle":{"x.sh":""}}',
    '{"v":1,"policy_bundle":{},"platform":"x"}',
    '{"v":1,"v":1,"policy_bundle":{}}',
  ]) {
    assert.throws(() => parseReload(untrusted(bytes(text))), { code: "RELOAD_INVALID" }, text);
  }
});
