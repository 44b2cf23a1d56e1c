import type { AppraisalPolicy } from "./policy.ts";
import type { EvidencePlatform } from "./requirements.ts";

/**
 * What verified evidence is worth. `hardware`: the processor vouches for the image. `hardware-paravisor`: the processor
 * vouches for the cloud's paravisor, and the paravisor for the image. `host-trusted`: a TPM vouches, and is worth what
 * whoever made and runs it is worth. `authentic`: real, and not appraised. `none`: not verified.
 */
export type Assurance = "hardware" | "hardware-paravisor" | "host-trusted" | "authentic" | "none";

const LEVELS: Readonly<Record<EvidencePlatform, Assurance>> = {
  "sev-snp": "hardware",
  tdx: "hardware",
  tpm: "host-trusted",
  "azure-cvm": "hardware-paravisor",
};

/** True when a platform's part of a policy appraises nothing. */
export function isAuthenticityOnly(platform: EvidencePlatform, policy: AppraisalPolicy): boolean {
  switch (platform) {
    case "sev-snp":
      return policy.sev_snp.authenticity_only;
    case "tdx":
      return policy.tdx.authenticity_only;
    case "tpm":
      return policy.tpm.authenticity_only;
    case "azure-cvm":
      return policy.azure_cvm.authenticity_only;
  }
}

/** The level that evidence of a platform reaches when it is verified. */
export function assuranceOf(platform: EvidencePlatform, policy: AppraisalPolicy): Assurance {
  return isAuthenticityOnly(platform, policy) ? "authentic" : LEVELS[platform];
}
