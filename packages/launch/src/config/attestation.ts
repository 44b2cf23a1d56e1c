import * as z from "zod";

/** `sha256:` or `sha384:` and lowercase hex of that length. */
const MEASUREMENT = /^sha(?:256:[0-9a-f]{64}|384:[0-9a-f]{96})$/;
/** Providers there is evidence of. */
export const PROVIDERS = ["auto", "sev-snp", "tdx", "tpm", "azure-cvm", "software-only"] as const;

/** `attestation` of the configuration. */
export const attestationSchema = z.strictObject({
  provider: z
    .enum(PROVIDERS)
    .default("auto")
    .describe(
      "Where the attestation report comes from. An image has the one of its platform, and accepts its name and " +
        "`auto` only. In a process `auto` looks for sev-snp, tdx, azure-cvm, tpm in this order and takes the " +
        "first; software only with CMCP_DEV_MODE=1, where a TPM is not taken by `auto` because a launch stays in " +
        "its PCR 15 until the machine restarts. `software-only`, named in a process, is for pilots: no hardware " +
        "attests, and network isolation stays required outside development.",
    ),
  enforcement_mode: z
    .enum(["enforcing", "advisory", "silent"])
    .default("enforcing")
    .describe(
      "`enforcing`: a call that policy denies is not made. `advisory`: it is made, recorded as `advisory_deny`, " +
        "and logged. `silent`: the same without the log line. What is not policy (a tool outside the catalog, " +
        "arguments outside the approved schema, a workflow or data class that is not allowed) is refused in every " +
        "mode.",
    ),
  validity_seconds: z
    .int()
    .min(1)
    .max(31_536_000)
    .default(86_400)
    .describe(
      "Seconds for which an attestation report is fresh. The gateway asks for another when three quarters of " +
        "them are over.",
    ),
  staleness_policy: z
    .enum(["fail_closed", "warn_only"])
    .nullable()
    .default("fail_closed")
    .describe(
      "What to do while the instance's report is older than validity_seconds: refuse requests with " +
        "ATTESTATION_STALE, or serve and record it.",
    ),
  expected_measurement: z
    .string()
    .regex(MEASUREMENT, { error: "must be sha256: or sha384: and lowercase hex" })
    .nullish()
    .describe(
      "Measurement the platform must report, else the gateway does not start: launch measurement (sev-snp, " +
        "azure-cvm), MRTD (tdx), or with a TPM the SHA-256 over PCRs 0 to 9 and 11 to 15 with PCR 15 still zero.",
    ),
  allow_unmeasured_spawn: z
    .boolean()
    .default(false)
    .describe("Allow stdio servers whose files the catalog does not pin."),
  required_provenance_kind: z
    .enum(["publisher-asserted", "observer-attested"])
    .nullish()
    .describe(
      "Refuse the start where a server of the catalog has no record of its provenance, or one of a weaker kind: " +
        "observer-attested is the stronger.",
    ),
});
