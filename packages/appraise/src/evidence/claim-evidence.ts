import { toBase64 } from "./file/write.ts";
import { parseHclReport } from "../azure/hcl-report.ts";
import type { Evidence, EvidenceParts } from "./evidence.ts";
import { parseAttestationKey } from "../tpm/public-key.ts";
import { looksLikePem } from "../x509/pem.ts";

/** `gateway.attestation_evidence` of a claim: what the claim itself has room for. */
export interface ClaimEvidence {
  /** Base64 of what the platform signed. */
  readonly raw_evidence: string;
  /** Base64 of a TPMT_SIGNATURE, where the signature is apart. */
  readonly quote_signature?: string;
  /** PEM, leaf first. */
  readonly cert_chain?: string;
}

/**
 * The part of evidence that travels in the claim, in the form its public verifier reads; event logs, register values
 * and collateral are in the evidence file. `undefined` for software-only, which has none.
 *
 * A TPM's is the quote over the key's thumbprint, which is the one that verifier knows.
 */
export function claimEvidence({ parts }: Evidence): ClaimEvidence | undefined {
  switch (parts.provider) {
    case "software-only":
      return undefined;
    case "sev-snp":
      return { raw_evidence: toBase64(parts.report), ...chain(parts.certificates) };
    case "tdx":
      return { raw_evidence: toBase64(parts.quote) };
    case "tpm":
      return {
        raw_evidence: toBase64(parts.tpm.keyQuote.attest),
        quote_signature: toBase64(parts.tpm.keyQuote.signature),
        ...chain(parts.tpm.certificates),
      };
    case "azure-cvm":
      return { raw_evidence: toBase64(parts.tdQuote ?? azureEnvelope(parts)) };
  }
}

function chain(certificates: readonly Uint8Array[]): { cert_chain?: string } {
  return certificates.length === 0 ? {} : { cert_chain: certificates.map(toPem).join("") };
}

function toPem(certificate: Uint8Array): string {
  if (looksLikePem(certificate)) return new TextDecoder().decode(certificate);
  return pem("CERTIFICATE", certificate);
}

function pem(label: string, der: Uint8Array): string {
  const lines = toBase64(der).match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** The one-file form of Azure evidence that claims of this format already carry. */
function azureEnvelope({
  hclReport,
  tpm,
  certificates,
}: Extract<EvidenceParts, { provider: "azure-cvm" }>): Uint8Array {
  const { hardwareReport, runtimeData } = parseHclReport(hclReport);
  const envelope = {
    v: 1,
    snp_report: toBase64(hardwareReport),
    runtime_data: toBase64(runtimeData),
    quote_msg: toBase64(tpm.quote.attest),
    quote_sig: toBase64(tpm.quote.signature),
    ak_pub_pem: pem("PUBLIC KEY", parseAttestationKey(tpm.attestationKey).key.spki),
    vcek_chain_pem: toBase64(new TextEncoder().encode(certificates.map(toPem).join(""))),
  };
  return new TextEncoder().encode(JSON.stringify(envelope));
}
