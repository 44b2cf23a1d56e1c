import * as z from "zod";
import { azureCvmPolicySchema } from "../azure/policy.ts";
import { sevSnpPolicySchema } from "../sev-snp/policy.ts";
import { tdxPolicySchema } from "../tdx/policy.ts";
import { tpmPolicySchema } from "../tpm/policy.ts";
import { EVIDENCE_PLATFORMS, REQUIREMENTS } from "./requirements.ts";

/** Modes a gateway runs in; only in the first does every refusal by policy stop its call. */
export const ENFORCEMENT_MODES = ["enforcing", "advisory", "silent"] as const;
export type EnforcementMode = (typeof ENFORCEMENT_MODES)[number];

const sessionPolicySchema = z.strictObject({
  enforcement_modes: z
    .array(z.enum(ENFORCEMENT_MODES))
    .min(1)
    .max(ENFORCEMENT_MODES.length)
    .default(["enforcing"])
    .describe("Modes the session may have run in. Read for claims; evidence alone has no session."),
  history: z
    .enum(["complete", "any"])
    .default("any")
    .describe(
      "`complete`: the session's root entry must say that the record of earlier instances was complete. Read for claims.",
    ),
});

/** An appraisal policy file. What is left out has the strict value. */
export const appraisalPolicySchema = z.strictObject({
  version: z.literal(1).default(1).describe("Version of this format."),
  description: z.string().max(1024).optional().describe("For readers."),
  platforms: z
    .array(z.enum(EVIDENCE_PLATFORMS))
    .min(1)
    .max(EVIDENCE_PLATFORMS.length)
    .default([...EVIDENCE_PLATFORMS])
    .describe("Platforms that are accepted at all."),
  required: z
    .array(z.enum(REQUIREMENTS))
    .max(REQUIREMENTS.length)
    .default(["report_data", "measurement", "tcb"])
    .describe(
      "Checks that must have been made and passed; where one could not be made, the evidence is not verified. " +
        "What fails is never accepted, required or not.",
    ),
  session: sessionPolicySchema.prefault({}).describe("The session a claim is about."),
  sev_snp: sevSnpPolicySchema.prefault({}).describe("SEV-SNP reports."),
  tdx: tdxPolicySchema.prefault({}).describe("TDX quotes."),
  tpm: tpmPolicySchema.prefault({}).describe("TPM 2.0 quotes."),
  azure_cvm: azureCvmPolicySchema.prefault({}).describe("Azure confidential VMs: paravisor and virtual TPM."),
});

export type AppraisalPolicy = z.infer<typeof appraisalPolicySchema>;
/** A policy as it is written. */
export type WrittenAppraisalPolicy = z.input<typeof appraisalPolicySchema>;
