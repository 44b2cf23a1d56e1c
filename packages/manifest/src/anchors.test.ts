import assert from "node:assert/strict";
import { test } from "node:test";
import { untrusted } from "@cmcp/boundary";
import { anchorsSchema, MAX_ANCHORS, readAnchorFile } from "./anchors.ts";
import { ManifestIssuer } from "./testing/issuer.ts";

const { publicKey, keyId } = new ManifestIssuer();
const read = (value: unknown) => readAnchorFile(untrusted(new TextEncoder().encode(JSON.stringify(value))));

test("a trust anchor file has one key or several, each with the issuers that it may name", () => {
  assert.deepEqual(read({ public_key_base64url: publicKey, key_id: keyId }), [
    { anchor: { public_key: publicKey }, keyId },
  ]);
  const issuers = ["spiffe://bank.example/issuers/desk"];
  assert.deepEqual(read({ keys: [{ public_key_base64url: publicKey, issuers }] }), [
    { anchor: { public_key: publicKey, issuers }, keyId: null },
  ]);
});

test("anything else is refused", () => {
  for (const value of [
    {},
    { keys: [] },
    { keys: [{}] },
    { public_key_base64url: `${publicKey}=` },
    { public_key_base64url: publicKey.slice(1) },
    { public_key_base64url: publicKey, key_id: "a" },
    { public_key_base64url: publicKey, issuers: ["desk"] },
    { public_key_base64url: publicKey, issuers: [] },
    { public_key_base64url: publicKey, more: 1 },
    { keys: Array.from({ length: MAX_ANCHORS + 1 }, () => ({ public_key_base64url: publicKey })) },
  ])
    assert.throws(() => read(value), { code: "CONFIG_INVALID" }, JSON.stringify(value).slice(0, 80));
  assert.ok(!anchorsSchema.safeParse([{ public_key: publicKey }, { public_key: publicKey }]).success);
});
