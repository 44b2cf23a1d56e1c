import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { test } from "node:test";
import { claimEvidence } from "./claim-evidence.ts";
import type { Evidence, EvidenceParts, TpmParts } from "./evidence.ts";
import { readAzureCvmEvidence } from "../azure/read-evidence.ts";
import { NO_SHARED_FOLDER, sharedFile } from "../testing/shared.ts";
import { ATTESTATION_KEY_ATTRIBUTES, sampleKey, samplePublicArea } from "../tpm/testing/sample-quote.ts";

const bytes = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill);
const evidence = (parts: EvidenceParts): Evidence => ({
  platform: "tpm2",
  measurement: "",
  reportData: bytes(64, 0),
  firmware: "",
  generatedAt: 0,
  parts,
});
const base64 = (value: Uint8Array): string => Buffer.from(value).toString("base64");
const DER = Uint8Array.from([0x30, 0x01, 0x00]);
const PEM = `-----BEGIN CERTIFICATE-----\n${base64(DER)}\n-----END CERTIFICATE-----\n`;

const tpm = (attestationKey: Uint8Array): TpmParts => ({
  quote: { attest: bytes(10, 1), signature: bytes(11, 2) },
  keyQuote: { attest: bytes(12, 3), signature: bytes(13, 4) },
  attestationKey,
  certificates: [DER],
  bank: 0x0b,
  registers: new Map(),
  eventLog: null,
});

test("a claim carries what its platform signed, and software carries nothing", () => {
  assert.equal(claimEvidence(evidence({ provider: "software-only" })), undefined);
  assert.deepEqual(claimEvidence(evidence({ provider: "sev-snp", report: bytes(1184, 5), certificates: [] })), {
    raw_evidence: base64(bytes(1184, 5)),
  });
  assert.deepEqual(
    claimEvidence(
      evidence({ provider: "sev-snp", report: bytes(3, 5), certificates: [DER, new TextEncoder().encode(PEM)] }),
    ),
    { raw_evidence: base64(bytes(3, 5)), cert_chain: PEM + PEM },
  );
  assert.deepEqual(claimEvidence(evidence({ provider: "tdx", quote: bytes(4, 6), eventLog: bytes(1, 1) })), {
    raw_evidence: base64(bytes(4, 6)),
  });
  assert.deepEqual(claimEvidence(evidence({ provider: "tpm", tpm: tpm(bytes(1, 0)) })), {
    raw_evidence: base64(bytes(12, 3)),
    quote_signature: base64(bytes(13, 4)),
    cert_chain: PEM,
  });
  assert.deepEqual(
    claimEvidence(
      evidence({
        provider: "azure-cvm",
        hclReport: bytes(1, 1),
        tdQuote: bytes(5, 7),
        certificates: [],
        tpm: tpm(bytes(1, 0)),
      }),
    ),
    { raw_evidence: base64(bytes(5, 7)) },
  );
});

test("Azure's is one file with report, runtime data, quote and certificates, which the verifier reads", (t) => {
  const hclReport = sharedFile("evidence/azure/kinvolk/hcl-report-snp.bin");
  const runtimeData = sharedFile("evidence/azure/kinvolk/var-data.bin");
  if (hclReport === null || runtimeData === null) return t.skip(NO_SHARED_FOLDER);
  const area = samplePublicArea(sampleKey("rsassa"), ATTESTATION_KEY_ATTRIBUTES);
  const carried = claimEvidence(
    evidence({ provider: "azure-cvm", hclReport, tdQuote: null, certificates: [DER], tpm: tpm(area) }),
  );
  const file = Buffer.from(carried?.raw_evidence ?? "", "base64");
  const { ak_pub_pem: pem } = JSON.parse(file.toString()) as { ak_pub_pem: string };
  assert.equal(createPublicKey(pem).type, "public");
  const read = readAzureCvmEvidence(new Uint8Array(file));
  assert.ok("snpReport" in read.paravisor);
  assert.deepEqual(read.paravisor.snpReport, hclReport.slice(0x20, 0x20 + 1184));
  assert.deepEqual(read.quote, bytes(10, 1));
});
