import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { auditBundleSchema } from "@cmcp/audit/schema";
import { CallSummaryBuilder } from "@cmcp/claim";

const { entries } = auditBundleSchema.parse(
  JSON.parse(await readFile(new URL("record/audit-bundle.json", import.meta.url), "utf8")),
);
const fold = new CallSummaryBuilder();
for (const entry of entries) fold.add(entry);
const { total, toolsInvoked } = fold.finish();
assert.equal(total, 1);
assert.deepEqual(toolsInvoked, ["get_record"]);
