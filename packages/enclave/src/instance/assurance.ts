import type { Platform } from "@cmcp/appraise/evidence";

/** The highest assurance of a platform's evidence. */
export type Assurance = "functional-only" | "host-trusted" | "as appraised";

/**
 * The assurance of a platform. The owner of a TPM controls what it measures. The evidence of a confidential machine
 * is for a verifier to appraise.
 */
export function assuranceOf(platform: Platform): Assurance {
  switch (platform) {
    case "software-only":
      return "functional-only";
    case "tpm2":
      return "host-trusted";
    case "amd-sev-snp":
    case "azure-cvm-sev-snp":
    case "intel-tdx":
      return "as appraised";
  }
}
