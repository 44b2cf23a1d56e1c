import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, sign, verify, type JsonWebKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import { buildTraceRecord, claimSchema, signTraceRecord, traceRecordSigningInput } from "@cmcp/claim";

const claim = claimSchema.parse(JSON.parse(await readFile(new URL("record/claim.json", import.meta.url), "utf8")));
const privateKey = createPrivateKey({
  format: "jwk",
  key: JSON.parse(await readFile(new URL("record/key.json", import.meta.url), "utf8")) as JsonWebKey,
});
const unsigned = buildTraceRecord(claim, { buildDigest: `sha256:${"0".repeat(64)}` });
const record = signTraceRecord(unsigned, (bytes) => sign(null, bytes, privateKey));
const signature = Buffer.from(record.signature, "base64url");
assert.ok(verify(null, traceRecordSigningInput(record), createPublicKey(privateKey), signature));
