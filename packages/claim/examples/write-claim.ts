import assert from "node:assert/strict";
import { createPrivateKey, sign, type JsonWebKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import { claimHash, claimSchema, writeClaim } from "@cmcp/claim";

const { signature, ...unsigned } = claimSchema.parse(
  JSON.parse(await readFile(new URL("record/claim.json", import.meta.url), "utf8")),
);
const privateKey = createPrivateKey({
  format: "jwk",
  key: JSON.parse(await readFile(new URL("record/key.json", import.meta.url), "utf8")) as JsonWebKey,
});
const { claim, written, hash } = writeClaim(unsigned, (bytes) => sign(null, bytes, privateKey));
assert.equal(claim.signature, signature);
assert.deepEqual(JSON.parse(written.text), claim);
assert.equal(hash, claimHash(claim));
