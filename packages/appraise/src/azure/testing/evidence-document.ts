import { toBase64Url } from "@cmcp/boundary";
import { tpmEvidenceOf } from "../../evidence/parts.ts";
import type { EvidenceParts } from "../../evidence/evidence.ts";
import { evidenceDocument } from "../../tpm/testing/evidence-document.ts";

export type AzureParts = Extract<EvidenceParts, { readonly provider: "azure-cvm" }>;

/** The JSON form of Azure evidence (SPEC.md of the tpm folder), which the reader of evidence files takes back. */
export function azureEvidenceDocument(parts: AzureParts): Record<string, unknown> {
  const quoted = evidenceDocument({ ...tpmEvidenceOf(parts.tpm), certificates: [] });
  return {
    hcl_report: toBase64Url(parts.hclReport),
    ...(parts.tdQuote === null ? {} : { td_quote: toBase64Url(parts.tdQuote) }),
    ...(parts.certificates.length === 0 ? {} : { certificates: parts.certificates.map((bytes) => toBase64Url(bytes)) }),
    ...quoted,
  };
}
