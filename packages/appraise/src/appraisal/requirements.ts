import type { Check } from "../checks/check.ts";

/** Platforms there is a verifier of, as the command line names them. */
export const EVIDENCE_PLATFORMS = ["sev-snp", "tdx", "tpm", "azure-cvm"] as const;
export type EvidencePlatform = (typeof EVIDENCE_PLATFORMS)[number];

/** What a policy can require to have been checked, whatever the platform calls it. */
export const REQUIREMENTS = ["report_data", "measurement", "launch", "tcb", "revocation", "event_log"] as const;
export type Requirement = (typeof REQUIREMENTS)[number];

/** The checks that meet a requirement on a platform; `null` where the platform has no such check. */
const CHECKS: Readonly<Record<EvidencePlatform, Readonly<Record<Requirement, RegExp | null>>>> = {
  "sev-snp": {
    report_data: /^report data$/,
    measurement: /^measurement$/,
    launch: /^launch document$/,
    tcb: /^reported TCB$/,
    revocation: /^V[CL]EK revocation$/,
    event_log: null,
  },
  tdx: {
    report_data: /^report data$/,
    measurement: /^MRTD$/,
    launch: /^launch digest$/,
    tcb: /^TCB status$/,
    revocation: /^PCK revocation$/,
    event_log: /^event log$/,
  },
  // No vendor publishes a status of a TPM's own firmware.
  tpm: {
    report_data: /^report data$/,
    measurement: /^(?:measurement|PCR values)$/,
    launch: /^launch digest$/,
    tcb: null,
    revocation: /revocation$/,
    event_log: /^event log$/,
  },
  "azure-cvm": {
    report_data: /^report data$/,
    measurement: /^(?:measurement|PCR values)$/,
    launch: /^launch digest$/,
    tcb: /^paravisor (?:reported TCB|TCB status)$/,
    revocation: /^paravisor (?:V[CL]EK|PCK) revocation$/,
    event_log: /^event log$/,
  },
};

/** The requirements that no passed check meets, each with the reason that the checks give. */
export function unmet(
  platform: EvidencePlatform,
  required: readonly Requirement[],
  checks: readonly Check[],
): readonly { readonly requirement: Requirement; readonly why: string }[] {
  return required.flatMap((requirement) => {
    const names = CHECKS[platform][requirement];
    if (names === null) return [];
    const candidates = checks.filter(({ name }) => names.test(name));
    if (candidates.some(({ status }) => status === "passed")) return [];
    return [
      {
        requirement,
        why: candidates.map(({ name, why }) => `${name}: ${why}`).join("; ") || "nothing of the kind was checked",
      },
    ];
  });
}
