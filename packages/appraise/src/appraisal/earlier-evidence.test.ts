import assert from "node:assert/strict";
import { hash, webcrypto } from "node:crypto";
import { test } from "node:test";
import { QUOTED_REGISTERS } from "../tpm/quoted-registers.ts";
import { sampleEvidence, sampleKey, type QuoteOptions, type SampleKey } from "../tpm/testing/sample-quote.ts";
import { evidenceDocument } from "../tpm/testing/evidence-document.ts";
import { earlierEvidencePolicy } from "./earlier-evidence.ts";
import { preset } from "./load-policy.ts";
import type { AppraisalPolicy } from "./policy.ts";
import { verifyEvidence } from "./verify-evidence.ts";
import type { EvidenceVerdict } from "./verdict.ts";

const [KEY, OTHER, STRANGER] = [sampleKey("ecdsa"), sampleKey("ecdsa"), sampleKey("ecdsa")];
const STRICT = preset("strict");
const POLICY: AppraisalPolicy = {
  ...STRICT,
  required: [],
  tpm: { ...STRICT.tpm, attestation_key_sha256: [KEY, OTHER].map(({ spki }) => hash("sha256", spki)) },
};
const AT = new Date(0);

async function verdict(
  key: SampleKey,
  options: QuoteOptions,
  policy: AppraisalPolicy,
  earlier?: EvidenceVerdict,
): Promise<EvidenceVerdict> {
  const values = new Map(QUOTED_REGISTERS.map((register) => [register, new Uint8Array(32)]));
  const evidence = new TextEncoder().encode(JSON.stringify(evidenceDocument(sampleEvidence(key, values, options))));
  return await verifyEvidence(
    "tpm",
    { evidence, certificates: [], collateral: [] },
    { policy, expected: earlier === undefined ? {} : { earlier }, at: AT },
    webcrypto,
  );
}

/** What a quote at clock 1000 after 3 resets is worth after this one. */
async function after(key: SampleKey, options: QuoteOptions): Promise<readonly string[]> {
  const { checks } = await verdict(KEY, {}, POLICY, await verdict(key, options, earlierEvidencePolicy(POLICY)));
  return checks.filter(({ status }) => status === "failed").map(({ name, code }) => `${name}: ${code}`);
}

test("a quote is not older than an earlier one of the same key", async () => {
  assert.deepEqual(await after(KEY, { clock: 1000n }), []);
  assert.deepEqual(await after(KEY, { clock: 1001n }), ["clock order: EVIDENCE_POLICY_VIOLATION"]);
  assert.deepEqual(await after(KEY, { resetCount: 4 }), ["clock order: EVIDENCE_POLICY_VIOLATION"]);
});

test("the earlier quote's state is not asked for, its signature and key are", async () => {
  assert.deepEqual(await after(KEY, { safe: 0, selections: [] }), []);
  assert.deepEqual(await after(OTHER, {}), ["earlier evidence: EVIDENCE_POLICY_VIOLATION"]);
  assert.deepEqual(await after(STRANGER, {}), ["earlier evidence: EVIDENCE_CHAIN_INVALID"]);
  assert.deepEqual(await after(KEY, { magic: 0 }), ["earlier evidence: EVIDENCE_MALFORMED"]);
});

test("evidence without a clock cannot be put in order", async () => {
  const earlier = await verdict(KEY, {}, POLICY);
  const { checks } = await verifyEvidence(
    "sev-snp",
    { evidence: new Uint8Array(1184), certificates: [], collateral: [] },
    { policy: STRICT, expected: { earlier }, at: AT },
    webcrypto,
  );
  assert.ok(!checks.some(({ name }) => name === "clock order"));
});
