import assert from "node:assert/strict";
import { createPrivateKey, sign, type JsonWebKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import { claimSchema, signClaim } from "@cmcp/claim";

const { signature, ...unsigned } = claimSchema.parse(
  JSON.parse(await readFile(new URL("record/claim.json", import.meta.url), "utf8")),
);
const privateKey = createPrivateKey({
  format: "jwk",
  key: JSON.parse(await readFile(new URL("record/key.json", import.meta.url), "utf8")) as JsonWebKey,
});
const claim = signClaim(unsigned, (bytes) => sign(null, bytes, privateKey));
// Ed25519 signatures are deterministic (RFC 8032).
assert.equal(claim.signature, signature);
