import * as z from "zod";
import { sevSnpPolicySchema } from "../sev-snp/policy.ts";
import { tdxPolicySchema } from "../tdx/policy.ts";
import { QUALIFYING_FORMS, quotePolicySchema } from "../tpm/policy.ts";

/**
 * The Azure part of an appraisal policy: what the hardware says of the paravisor, and what the virtual TPM inside
 * the paravisor says of the image. Both parts have strict defaults.
 */
export const azureCvmPolicySchema = z.strictObject({
  authenticity_only: z
    .boolean()
    .default(false)
    .describe("Check format, signatures and chains of hardware report and quote and nothing else. The result says so."),
  sev_snp: sevSnpPolicySchema
    .prefault({})
    .describe(
      "Appraisal of the paravisor's SEV-SNP report. Its `measurements` are of the paravisor, not of the image.",
    ),
  // The paravisor hands out no event log: a key about one would be taken and ignored.
  tdx: tdxPolicySchema
    .omit({ event_log: true })
    .extend({ required_attributes: tdxPolicySchema.shape.required_attributes.unwrap().default([]) })
    .prefault({})
    .describe(
      "Appraisal of the paravisor's TDX quote. SEPT_VE_DISABLE is not required here: the paravisor handles those exceptions.",
    ),
  vtpm: quotePolicySchema
    .extend({
      qualifying_data: quotePolicySchema.shape.qualifying_data
        .unwrap()
        .default([...QUALIFYING_FORMS])
        .describe(
          "How the quote may carry the expected report data. Default: every form; Azure collectors of the first " +
            "cMCP gateways quote its plain SHA-256.",
        ),
    })
    .prefault({})
    .describe("Appraisal of the virtual TPM's quote: the registers are what the image is."),
});

export type AzureCvmPolicy = z.infer<typeof azureCvmPolicySchema>;

/** The strict default. */
export const STRICT_AZURE_CVM_POLICY: AzureCvmPolicy = azureCvmPolicySchema.parse({});
