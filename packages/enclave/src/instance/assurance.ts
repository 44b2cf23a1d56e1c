import type { Platform } from "@cmcp/appraise/evidence";

/** What a platform's evidence can be worth at most (architecture, "Assurance is named"). */
export type Assurance = "functional-only" | "host-trusted" | "as appraised";

/** A TPM's owner can make it say anything; what a confidential machine's evidence is worth a verifier says. */
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
