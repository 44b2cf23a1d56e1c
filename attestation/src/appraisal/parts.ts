import type { AzureCvmEvidence } from "../azure/evidence.ts";
import type { EvidenceParts, TpmParts } from "../evidence.ts";
import type { TpmEvidence } from "../tpm/evidence.ts";

/** A TPM's evidence as its verifier takes it: the quote over all of report data, and what is beside it. */
export function tpmEvidenceOf({ quote, attestationKey, certificates, bank, registers, eventLog }: TpmParts): TpmEvidence {
  return { quote: quote.attest, signature: quote.signature, attestationKey, certificates, registers: new Map([[bank, registers]]), ...(eventLog === null ? {} : { eventLog }) };
}

/** An Azure machine's evidence as its verifier takes it. */
export function azureEvidenceOf({ hclReport, tdQuote, certificates, tpm }: Extract<EvidenceParts, { readonly provider: "azure-cvm" }>): AzureCvmEvidence {
  return { ...tpmEvidenceOf(tpm), paravisor: { hclReport }, certificates, ...(tdQuote === null ? {} : { tdQuote }) };
}
