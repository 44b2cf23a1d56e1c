import assert from "node:assert/strict";
import { test } from "node:test";
import { describeEvidence } from "../../appraisal/describe-evidence.ts";
import type { Evidence, EvidenceParts } from "../evidence.ts";
import { Machine, signedReport } from "../../sev-snp/testing/machine.ts";
import { writeEvidenceFile, type EvidenceContext } from "./write.ts";

const shown = (parts: EvidenceParts, context: EvidenceContext = {}): Record<string, string> => {
  const evidence: Evidence = {
    platform: "amd-sev-snp",
    measurement: "",
    reportData: new Uint8Array(64).fill(1),
    firmware: "",
    generatedAt: 0,
    parts,
  };
  const { kind, rows } = describeEvidence(
    new TextEncoder().encode(JSON.stringify(writeEvidenceFile(evidence, context))),
  );
  assert.equal(kind, "evidence-file");
  return Object.fromEntries(rows.map(({ label, value }) => [label, value]));
};

test("an evidence file is shown with what is in it", async () => {
  const machine = await Machine.make("Genoa");
  const key = await machine.key();
  const context = {
    launchDocument: new Uint8Array(9),
    collateral: [new Uint8Array(1)],
    rootEntry: { entry_hash: "ab" },
    binding: { nonce: "n" },
  };
  const rows = shown(
    { provider: "sev-snp", report: await signedReport("Genoa", key), certificates: [key.der] },
    context,
  );
  assert.deepEqual(
    [rows["evidence file"], rows["launch document"], rows["collateral"], rows["root entry"], rows["nonce"]],
    ["sev-snp, for a claim of amd-sev-snp", "9 bytes", "1 files", "ab", "n"],
  );
  assert.match(rows["certificate"] ?? "", /SEV-VCEK/);
  assert.equal(rows["report data, as it says"], "01".repeat(64));
  assert.match(rows["measurement"] ?? "", /^(?:aa){48}$/);
});

test("parts that cannot be read say so", () => {
  assert.match(
    shown({ provider: "tdx", quote: new Uint8Array(5), eventLog: new Uint8Array(9) })["quote"] ?? "",
    /unreadable/,
  );
  const rows = shown(
    { provider: "sev-snp", report: new Uint8Array(5), certificates: [new Uint8Array(3)] },
    { rootEntry: {} },
  );
  for (const label of ["report", "certificates", "root entry"]) assert.match(rows[label] ?? "", /unreadable/, label);
  assert.equal(shown({ provider: "software-only" })["launch document"], "none");
});
