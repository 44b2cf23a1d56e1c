import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { buildTraceRecord, claimSchema } from "@cmcp/claim";

const claim = claimSchema.parse(JSON.parse(await readFile(new URL("record/claim.json", import.meta.url), "utf8")));
const record = buildTraceRecord(claim, { buildDigest: `sha256:${"0".repeat(64)}` });
assert.equal(record.iat, claim.trace.iat);
assert.equal(record.appraisal.status, "none");
