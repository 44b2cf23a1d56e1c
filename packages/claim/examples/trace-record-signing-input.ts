import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { buildTraceRecord, claimSchema, traceRecordSigningInput } from "@cmcp/claim";

const claim = claimSchema.parse(JSON.parse(await readFile(new URL("record/claim.json", import.meta.url), "utf8")));
const record = buildTraceRecord(claim, { buildDigest: `sha256:${"0".repeat(64)}` });
// Canonical JSON (RFC 8785) without the signature: members in order, no space.
assert.ok(new TextDecoder().decode(traceRecordSigningInput(record)).startsWith('{"appraisal":'));
