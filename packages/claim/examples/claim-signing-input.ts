import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { readFile } from "node:fs/promises";
import { claimSchema, claimSigningInput } from "@cmcp/claim";

const claim = claimSchema.parse(JSON.parse(await readFile(new URL("record/claim.json", import.meta.url), "utf8")));
const key = createPublicKey({ format: "jwk", key: claim.trace.cnf.jwk });
assert.ok(verify(null, claimSigningInput(claim), key, Buffer.from(claim.signature, "base64url")));
