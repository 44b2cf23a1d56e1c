import type { WrittenAppraisalPolicy } from "./policy.ts";

const AUTHENTICITY_ONLY = { authenticity_only: true } as const;

/**
 * Appraisal policies for where machines stand. Each says what it changes of the strict default, and why; accepted
 * measurements are the relying party's own and are never part of a preset.
 */
export const PRESETS = {
  strict: { description: "The strict default, for any platform." },
  "authenticity-only": {
    description:
      "Form, signature and chain to the vendor's root. Nothing is appraised: a debug guest on vulnerable firmware passes.",
    required: [],
    sev_snp: AUTHENTICITY_ONLY,
    tdx: AUTHENTICITY_ONLY,
    tpm: AUTHENTICITY_ONLY,
    azure_cvm: AUTHENTICITY_ONLY,
  },
  "self-hosted-snp": {
    description:
      "SEV-SNP on a machine of one's own: this project's image, started with a launch document in HOST_DATA.",
    platforms: ["sev-snp"],
    required: ["report_data", "measurement", "launch", "tcb"],
  },
  "self-hosted-tdx": {
    description: "TDX on a machine of one's own: this project's image, started with a launch document in MRCONFIGID.",
    platforms: ["tdx"],
    required: ["report_data", "measurement", "launch", "tcb", "revocation", "event_log"],
  },
  "azure-snp": {
    description:
      "Azure confidential VM on SEV-SNP. The processor measures Azure's paravisor; the image is what the paravisor's virtual TPM quotes.",
    platforms: ["azure-cvm"],
    required: ["report_data", "measurement", "launch", "tcb"],
    azure_cvm: { sev_snp: { products: ["Milan", "Genoa"] } },
  },
  "azure-tdx": {
    description:
      "Azure confidential VM on TDX. The processor measures Azure's paravisor; the image is what the paravisor's virtual TPM quotes.",
    platforms: ["azure-cvm"],
    required: ["report_data", "measurement", "launch", "tcb", "revocation"],
  },
  gcp: {
    description: "Google confidential VM. The processor measures Google's firmware; reports may be asked from VMPL 1.",
    platforms: ["sev-snp", "tdx"],
    required: ["report_data", "measurement", "tcb"],
    sev_snp: { vmpl: [0, 1], host_data: { unexpected: "any" } },
  },
  "aws-snp": {
    description:
      "AWS on SEV-SNP. The key is loaded by AWS (VLEK) and is of no particular chip; AWS sets no HOST_DATA and " +
      "runs firmware before it commits it.",
    platforms: ["sev-snp"],
    required: ["report_data", "measurement", "tcb"],
    sev_snp: {
      endorsement_keys: ["VLEK"],
      vlek_providers: ["CN=cc-*.amazonaws.com"],
      vmpl: [0, 1],
      tcb: { provisional_firmware: "any" },
    },
  },
  vtpm: {
    description:
      "A virtual TPM without confidential hardware, such as swtpm under QEMU. Whoever runs it can make it say " +
      "anything: its root must be given, and assurance stays host-trusted.",
    platforms: ["tpm"],
    required: ["report_data", "measurement", "launch"],
  },
} as const satisfies Readonly<Record<string, WrittenAppraisalPolicy>>;

export type PresetName = keyof typeof PRESETS;
