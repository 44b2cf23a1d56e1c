import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { auditBundleSchema } from "@cmcp/audit/schema";
import { buildClaim, CallSummaryBuilder, EAT_PROFILES } from "@cmcp/claim";

const { session_id: id, entries } = auditBundleSchema.parse(
  JSON.parse(await readFile(new URL("record/audit-bundle.json", import.meta.url), "utf8")),
);
const calls = new CallSummaryBuilder();
for (const entry of entries) calls.add(entry);
const claim = buildClaim({
  eatProfile: EAT_PROFILES[0],
  issuedAt: 1_785_000_000,
  jwk: { x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" },
  gatewayVersion: "0.1.0",
  session: {
    id,
    root: entries[0]?.entry_hash ?? "",
    tip: entries.at(-1)?.entry_hash ?? "",
    length: entries.length,
    crossBoundaryEvents: [],
  },
  calls: calls.finish(),
  policy: { hash: `sha256:${"a".repeat(64)}`, version: "1.0.0", mode: "enforcing" },
  catalog: { hash: `sha256:${"b".repeat(64)}`, driftDetected: false },
  attestation: {
    platform: "software-only",
    measurement: `sha256:${"0".repeat(64)}`,
    reportData: new Uint8Array(64),
    firmware: "software-only",
    generatedAt: 1_785_000_000_000,
    validitySeconds: 86_400,
  },
  surroundings: { isolation: "network-namespace", channel: "plain" },
  sequenceNumber: 1,
});
assert.equal(claim.trace.tool_transcript.call_count, 1);
