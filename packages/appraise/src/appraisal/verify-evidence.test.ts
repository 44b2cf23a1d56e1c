import assert from "node:assert/strict";
import { hash, webcrypto } from "node:crypto";
import { test } from "node:test";
import { toHex } from "@cmcp/boundary";
import { azureFile } from "../azure/testing/genuine.ts";
import { readAzureCvmEvidence } from "../azure/read-evidence.ts";
import type { EvidenceParts, TpmParts } from "../evidence/evidence.ts";
import { writeEvidenceFile } from "../evidence/file/write.ts";
import { Machine, signedReport } from "../sev-snp/testing/machine.ts";
import { corpusFile, genuineQuote } from "../tdx/testing/corpus.ts";
import { NOW } from "../testing/authority.ts";
import { NO_SHARED_FOLDER, sharedFolder } from "../testing/shared.ts";
import { launchRegisterValue } from "../tpm/launch-register.ts";
import { QUOTED_REGISTERS } from "../tpm/quoted-registers.ts";
import { evidenceDocument } from "../tpm/testing/evidence-document.ts";
import { sampleEvidence, sampleKey } from "../tpm/testing/sample-quote.ts";
import type { MeasuredRegisters } from "./image.ts";
import { preset } from "./load-policy.ts";
import type { AppraisalPolicy } from "./policy.ts";
import type { EvidencePlatform } from "./requirements.ts";
import { verifyEvidence, type EvidenceExpectations } from "./verify-evidence.ts";
import type { EvidenceVerdict } from "./verdict.ts";

interface Given {
  readonly certificates?: readonly Uint8Array[];
  readonly collateral?: readonly Uint8Array[];
  readonly eventLog?: Uint8Array;
  readonly policy?: AppraisalPolicy;
  readonly expected?: EvidenceExpectations;
  readonly at?: Date;
}

async function verdict(platform: EvidencePlatform, evidence: Uint8Array, given: Given = {}): Promise<EvidenceVerdict> {
  const { certificates = [], collateral = [], eventLog, policy = preset("strict"), expected = {}, at = NOW } = given;
  return await verifyEvidence(
    platform,
    { evidence, certificates, collateral, ...(eventLog === undefined ? {} : { eventLog }) },
    { policy, expected, at },
    webcrypto,
  );
}

const failed = ({ checks }: EvidenceVerdict): string[] =>
  checks.filter(({ status }) => status === "failed").map(({ name, code }) => `${name}: ${code}`);
const statusOf = ({ checks }: EvidenceVerdict, name: string): string | undefined =>
  checks.find((check) => check.name === name)?.status;
const written = (platform: "amd-sev-snp" | "intel-tdx" | "tpm2" | "azure-cvm-sev-snp", parts: EvidenceParts) =>
  new TextEncoder().encode(
    JSON.stringify(
      writeEvidenceFile({
        platform,
        measurement: "",
        reportData: new Uint8Array(64),
        firmware: "",
        generatedAt: 0,
        parts,
      }),
    ),
  );

const machine = await Machine.make();
const endorsement = await machine.key();
const report = await signedReport("Genoa", endorsement);
const chain = [endorsement.der, machine.signing.VCEK.der, machine.root.der];
const MEASUREMENT = "aa".repeat(48);
const SNP: AppraisalPolicy = { ...preset("strict"), sev_snp: machine.policy(), required: ["measurement"] };
const SNP_TERMS: Given = { certificates: chain, policy: SNP, expected: { measurements: [MEASUREMENT] } };

const key = sampleKey("ecdsa");
const LAUNCH = new Uint8Array(32).fill(3);
const values = new Map(
  await Promise.all(
    QUOTED_REGISTERS.map(
      async (register) =>
        [
          register,
          register === 15 ? await launchRegisterValue(webcrypto, "sha256", LAUNCH) : new Uint8Array(32).fill(register),
        ] as const,
    ),
  ),
);
const quoted = sampleEvidence(key, values, { extraData: new Uint8Array(64).fill(9) });
const tpmDocument = new TextEncoder().encode(JSON.stringify(evidenceDocument(quoted)));
const STRICT = preset("strict");
const TPM: AppraisalPolicy = {
  ...STRICT,
  required: ["report_data", "launch"],
  tpm: { ...STRICT.tpm, attestation_key_sha256: [hash("sha256", key.spki)] },
};
const TPM_EXPECTED = { reportData: new Uint8Array(64).fill(9), launchDigest: LAUNCH };

test("evidence is verified when it is authentic, accepted, and all that is required was shown", async () => {
  const good = await verdict("sev-snp", report, SNP_TERMS);
  assert.deepEqual([good.outcome, good.assurance, good.platform, good.at], ["verified", "hardware", "sev-snp", NOW]);
  assert.deepEqual(failed(good), []);
  const tpm = await verdict("tpm", tpmDocument, { policy: TPM, expected: TPM_EXPECTED });
  assert.deepEqual([tpm.outcome, tpm.assurance, failed(tpm)], ["verified", "host-trusted", []]);
});

test("a platform that the policy leaves out is rejected, however authentic its evidence", async () => {
  const policy: AppraisalPolicy = { ...SNP, platforms: ["tdx", "tpm"] };
  const other = await verdict("sev-snp", report, { ...SNP_TERMS, policy });
  assert.deepEqual([other.outcome, other.assurance], ["rejected", "none"]);
  assert.deepEqual(failed(other), ["platform: EVIDENCE_POLICY_VIOLATION"]);
  assert.notEqual(other.verified, null);
});

test("what is required and was not shown fails by name, and not without authentic evidence", async () => {
  const policy: AppraisalPolicy = { ...SNP, required: ["report_data", "measurement"] };
  const missing = await verdict("sev-snp", report, { ...SNP_TERMS, policy });
  assert.equal(missing.outcome, "rejected");
  assert.deepEqual(failed(missing), ["required: report data: EVIDENCE_POLICY_VIOLATION"]);
  const forged = await verdict("sev-snp", report.with(0x90, 1), { ...SNP_TERMS, policy });
  assert.deepEqual([forged.outcome, forged.verified], ["rejected", null]);
  assert.ok(!forged.checks.some(({ name }) => name.startsWith("required: ")));
});

test("what cannot be read is malformed on every platform, and is said", async () => {
  for (const platform of ["sev-snp", "tdx", "tpm", "azure-cvm"] as const) {
    const unreadable = await verdict(platform, new Uint8Array(7));
    assert.deepEqual([unreadable.outcome, unreadable.assurance, unreadable.verified], ["malformed", "none", null]);
    assert.ok(
      failed(unreadable).some((check) => check.endsWith("EVIDENCE_MALFORMED")),
      platform,
    );
  }
  const document = await verdict("tpm", new TextEncoder().encode("{"));
  assert.deepEqual(failed(document), ["evidence format: EVIDENCE_MALFORMED"]);
});

test("under authenticity alone evidence is worth no more than that", async () => {
  const policy = { ...preset("authenticity-only"), sev_snp: machine.policy({ authenticity_only: true }) };
  const authentic = await verdict("sev-snp", report, {
    certificates: chain,
    policy,
    expected: { image: () => assert.fail("nothing is compared with an image") },
  });
  assert.deepEqual([authentic.outcome, authentic.assurance], ["verified", "authentic"]);
  const tpm = { ...STRICT.tpm, authenticity_only: true, attestation_key_sha256: TPM.tpm.attestation_key_sha256 };
  const quote = await verdict("tpm", tpmDocument, { policy: { ...preset("authenticity-only"), tpm } });
  assert.deepEqual([quote.outcome, quote.assurance], ["verified", "authentic"]);
});

test("an accepted image stands in for the measurement, another one is told by its parts", async () => {
  const seen: MeasuredRegisters[] = [];
  const accepted = await verdict("sev-snp", report, {
    ...SNP_TERMS,
    expected: {
      image: (registers) => {
        seen.push(registers);
        return { name: "image 7", commandLine: "acpi=off", vcpus: 1 };
      },
    },
  });
  assert.deepEqual([accepted.outcome, statusOf(accepted, "image")], ["verified", "passed"]);
  assert.deepEqual(seen, [{ platform: "sev-snp", values: { measurement: MEASUREMENT }, logged: {} }]);
  const other = await verdict("sev-snp", report, {
    ...SNP_TERMS,
    expected: { image: () => ({ otherParts: [{ part: "command line", why: "another" }] }) },
  });
  assert.deepEqual(failed(other), [
    "image: EVIDENCE_MEASUREMENT_MISMATCH",
    "image: command line: EVIDENCE_MEASUREMENT_MISMATCH",
    "required: measurement: EVIDENCE_POLICY_VIOLATION",
  ]);
});

test("an image on a TPM is told by the registers that its start measures into, and what a log shows of them", async () => {
  const seen: MeasuredRegisters[] = [];
  const policy: AppraisalPolicy = { ...TPM, required: ["measurement"] };
  const accepted = await verdict("tpm", tpmDocument, {
    policy,
    expected: {
      ...TPM_EXPECTED,
      image: (registers) => {
        seen.push(registers);
        return { name: "image 7", commandLine: null, vcpus: null };
      },
    },
  });
  assert.equal(accepted.outcome, "verified");
  const value = (register: number): string => toHex(new Uint8Array(32).fill(register));
  assert.deepEqual(seen, [
    { platform: "tpm", values: { pcr4: value(4), pcr9: value(9), pcr11: value(11), pcr12: value(12) }, logged: {} },
  ]);
  assert.equal(statusOf(accepted, "ACPI unconstrained"), undefined, "ACPI is said of where it reaches");
});

test("an evidence file is verified as the evidence in it, with what is given beside it", async () => {
  const file = written("amd-sev-snp", { provider: "sev-snp", report, certificates: [chain[0] ?? report] });
  assert.equal((await verdict("sev-snp", file, SNP_TERMS)).outcome, "verified");
  assert.equal((await verdict("sev-snp", file, { ...SNP_TERMS, certificates: [] })).outcome, "rejected");
  assert.deepEqual(failed(await verdict("tdx", file)), ["evidence format: EVIDENCE_MALFORMED"]);
  const { signature = new Uint8Array() } = quoted;
  const tpm: TpmParts = {
    quote: { attest: quoted.quote, signature },
    keyQuote: { attest: quoted.quote, signature },
    attestationKey: key.spki,
    certificates: [],
    bank: 0x0b,
    registers: values,
    eventLog: null,
  };
  const ofTpm = written("tpm2", { provider: "tpm", tpm });
  assert.equal((await verdict("tpm", ofTpm, { policy: TPM, expected: TPM_EXPECTED })).outcome, "verified");
  for (const evidence of [ofTpm, tpmDocument]) {
    const logged = await verdict("tpm", evidence, {
      policy: TPM,
      expected: TPM_EXPECTED,
      eventLog: new Uint8Array(7),
    });
    assert.deepEqual(failed(logged), ["event log format: EVIDENCE_MALFORMED"], "the log beside it counts");
  }
});

test("collateral goes to the vendor's verifier whose evidence it is beside", async (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const collateral = [new TextEncoder().encode("junk")];
  const at = new Date("2025-06-01T00:00:00Z");
  const azure = (folder: string): { document: Uint8Array; file: Uint8Array } => {
    const document = azureFile(`${folder}/evidence-v0.json`);
    const { paravisor, quote, signature, registers, certificates, tdQuote } = readAzureCvmEvidence(document);
    assert.ok("hclReport" in paravisor && quote !== undefined && signature !== undefined);
    const [[bank, values] = []] = [...registers];
    assert.ok(bank !== undefined && values !== undefined);
    const tpm: TpmParts = {
      quote: { attest: quote, signature },
      keyQuote: { attest: quote, signature },
      attestationKey: new Uint8Array(1),
      certificates: [],
      bank,
      registers: values,
      eventLog: null,
    };
    const parts: EvidenceParts = {
      provider: "azure-cvm",
      hclReport: paravisor.hclReport,
      tdQuote: tdQuote ?? null,
      certificates,
      tpm,
    };
    return { document, file: written("azure-cvm-sev-snp", parts) };
  };
  for (const [folder, check] of [
    ["trustee-az-snp-vtpm", "paravisor revocation list form"],
    ["trustee-az-tdx-vtpm", "paravisor collateral format"],
  ] as const) {
    const { document, file } = azure(folder);
    for (const evidence of [document, file]) {
      assert.equal(statusOf(await verdict("azure-cvm", evidence, { collateral, at }), check), "failed", folder);
      assert.equal(statusOf(await verdict("azure-cvm", evidence, { at }), check), undefined, folder);
    }
  }
  assert.equal(
    statusOf(await verdict("sev-snp", report, { ...SNP_TERMS, collateral }), "revocation list form"),
    "failed",
  );
  const tdx = genuineQuote("v4-00806f050000-00b2526ab1");
  for (const evidence of [tdx, written("intel-tdx", { provider: "tdx", quote: tdx, eventLog: null })]) {
    assert.equal(statusOf(await verdict("tdx", evidence, { collateral, at }), "collateral format"), "failed");
    const signer = corpusFile("ca/Intel_SGX_TCB_Signing-c0575e76.der");
    const beside = await verdict("tdx", evidence, { certificates: [signer, ...collateral], at });
    assert.equal(
      statusOf(beside, "collateral format"),
      "failed",
      "certificates of who signed collateral are read with it",
    );
    assert.equal(
      statusOf(await verdict("tdx", evidence, { eventLog: new Uint8Array(7), at }), "event log format"),
      "failed",
    );
  }
});
