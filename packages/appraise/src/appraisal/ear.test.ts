import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import { Machine, signedReport } from "../sev-snp/testing/machine.ts";
import { genuineQuote } from "../tdx/testing/corpus.ts";
import { NOW } from "../testing/authority.ts";
import { NO_SHARED_FOLDER, sharedFolder } from "../testing/shared.ts";
import { attestationResult } from "./ear.ts";
import { preset } from "./load-policy.ts";
import type { AppraisalPolicy } from "./policy.ts";
import { verifyEvidence } from "./verify-evidence.ts";
import type { EvidenceVerdict } from "./verdict.ts";

const MEASUREMENT = "aa".repeat(48);
const machine = await Machine.make();
const key = await machine.key();
const report = await signedReport("Genoa", key);

async function verdict(platform: "sev-snp" | "tdx", evidence: Uint8Array, policy: AppraisalPolicy) {
  return await verifyEvidence(
    platform,
    { evidence, certificates: [key.der, machine.signing.VCEK.der, machine.root.der], collateral: [] },
    { policy, expected: { measurements: [MEASUREMENT] }, at: NOW },
    webcrypto,
  );
}

/** The one submodule of a result, as its reader takes it. */
function submodule(result: EvidenceVerdict): Readonly<Record<string, unknown>> {
  const { submods } = JSON.parse(JSON.stringify(attestationResult(result, ""))) as {
    readonly submods: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  };
  return submods[result.platform] ?? {};
}

const ACCEPTED: AppraisalPolicy = { ...preset("strict"), sev_snp: machine.policy(), required: ["measurement"] };

test("an attestation result says what was verified, under which policy, and every check", async () => {
  const good = await verdict("sev-snp", report, ACCEPTED);
  assert.deepEqual(attestationResult(good, "sha256:policy"), {
    eat_profile: "tag:github.com,2023:veraison/ear",
    iat: Math.floor(NOW.getTime() / 1000),
    "ear.verifier-id": { developer: "cmcp", build: "cmcp-evidence-verify" },
    submods: {
      "sev-snp": {
        "ear.status": "affirming",
        "ear.appraisal-policy-id": "sha256:policy",
        "ear.veraison.annotated-evidence": { assurance: "hardware", measurement: MEASUREMENT },
        "cmcp.checks": good.checks.map(({ name, status, why }) => ({ name, status, why })),
      },
    },
  });
});

test("what was not appraised is no more than a warning, and what was rejected less", async () => {
  const policy = { ...preset("authenticity-only"), sev_snp: machine.policy({ authenticity_only: true }) };
  const authentic = await verdict("sev-snp", report, policy);
  assert.equal(submodule(authentic)["ear.status"], "warning");
  const rejected = await verdict("sev-snp", report, { ...policy, platforms: ["tdx"] });
  assert.equal(submodule(rejected)["ear.status"], "contraindicated");
  const unreadable = await verdict("tdx", new Uint8Array(7), ACCEPTED);
  assert.equal(submodule(unreadable)["ear.status"], "contraindicated");
  assert.deepEqual(submodule(unreadable)["ear.veraison.annotated-evidence"], {});
  assert.deepEqual(submodule(unreadable)["cmcp.checks"], unreadable.checks);
});

test("the measurement of a TD is its MRTD", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const td = await verdict("tdx", genuineQuote("v4-00806f050000-00b2526ab1"), ACCEPTED);
  assert.ok(td.verified?.platform === "intel-tdx");
  assert.deepEqual(submodule(td)["ear.veraison.annotated-evidence"], {
    assurance: "none",
    measurement: Buffer.from(td.verified.mrTd).toString("hex"),
  });
});
