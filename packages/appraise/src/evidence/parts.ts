import type { AzureCvmEvidence } from "../azure/evidence.ts";
import type { EvidenceParts, TpmParts } from "./evidence.ts";
import { Certificate } from "../x509/certificate.ts";
import { looksLikePem, parsePemCertificates } from "../x509/pem.ts";
import { MAX_CERTIFICATES } from "../tpm/evidence.ts";
import type { TpmEvidence } from "../tpm/evidence.ts";

/** A TPM's evidence as its verifier takes it: the quote over all of report data, and what is beside it. */
export function tpmEvidenceOf({
  quote,
  attestationKey,
  certificates,
  bank,
  registers,
  eventLog,
}: TpmParts): TpmEvidence {
  return {
    quote: quote.attest,
    signature: quote.signature,
    attestationKey,
    certificates,
    registers: new Map([[bank, registers]]),
    ...(eventLog === null ? {} : { eventLog }),
  };
}

/** An Azure machine's evidence as its verifier takes it. */
export function azureEvidenceOf({
  hclReport,
  tdQuote,
  certificates,
  tpm,
}: Extract<EvidenceParts, { readonly provider: "azure-cvm" }>): AzureCvmEvidence {
  return { ...tpmEvidenceOf(tpm), paravisor: { hclReport }, certificates, ...(tdQuote === null ? {} : { tdQuote }) };
}

/** Evidence that some hardware signed. */
export type HardwareParts = Exclude<EvidenceParts, { readonly provider: "software-only" }>;

/** Evidence, with the vendors' endorsements of it. */
export interface EndorsedParts {
  readonly parts: HardwareParts;
  readonly collateral: readonly Uint8Array[];
}

/**
 * Evidence with certificates given beside it, each DER or PEM: of the endorsement key's chain, of a TPM's attestation
 * key, or for TDX of whoever signed collateral.
 * @throws CmcpError `EVIDENCE_MALFORMED`
 */
export function withCertificates({ parts, collateral }: EndorsedParts, added: readonly Uint8Array[]): EndorsedParts {
  switch (parts.provider) {
    case "sev-snp":
      return { parts: { ...parts, certificates: [...parts.certificates, ...added] }, collateral };
    case "azure-cvm":
      return parts.tdQuote === null
        ? { parts: { ...parts, certificates: [...parts.certificates, ...added] }, collateral }
        : { parts, collateral: [...collateral, ...added] };
    case "tdx":
      return { parts, collateral: [...collateral, ...added] };
    case "tpm":
      return {
        parts: {
          ...parts,
          tpm: { ...parts.tpm, certificates: [...parts.tpm.certificates, ...added.flatMap(derCertificates)] },
        },
        collateral,
      };
  }
}

function derCertificates(file: Uint8Array): Uint8Array[] {
  return looksLikePem(file)
    ? parsePemCertificates(file, MAX_CERTIFICATES).map(({ raw }) => raw)
    : [Certificate.parse(file).raw];
}
