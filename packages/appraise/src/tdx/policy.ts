import * as z from "zod";
import { INTEL_SGX_ROOT_CA_SPKI_SHA256, INTEL_TD_QE_MRSIGNER } from "./anchors.ts";
import { TD_ATTRIBUTE_NAMES } from "./attributes.ts";
import { TCB_STATUSES } from "./tcb-status.ts";

const MAX_VALUES = 256;
const ZERO_REGISTER = "0".repeat(96);
/** RTMRs that PCR 0 to 7, and so their separators, are mapped to (UEFI section 38.4.1). */
const SEPARATED_RTMRS = [0, 1];

const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`), `${bytes} bytes in lowercase hex`);
const register = hex(48);
const registers = z.array(register).max(MAX_VALUES);

/** The statuses that a policy may accept: all but Revoked. */
const acceptableStatus = z.enum(TCB_STATUSES).exclude(["Revoked"]);

const tcb = z.strictObject({
  accepted_statuses: z
    .array(
      z.strictObject({
        status: acceptableStatus.describe(
          "A TCB status as Intel names it, after platform, TDX module and quoting enclave were converged.",
        ),
        grace_days: z
          .int()
          .min(0)
          .max(3650)
          .optional()
          .describe(
            "Days after the TCB date of the oldest part that is not current, for which the status is still accepted. Absent: without end.",
          ),
      }),
    )
    .min(1)
    .max(TCB_STATUSES.length)
    .default([{ status: "UpToDate" }])
    .describe("Statuses of the platform's TCB that are accepted. Default: UpToDate only."),
  minimum_evaluation_number: z
    .int()
    .min(0)
    .default(17)
    .describe(
      "Lowest tcbEvaluationDataNumber of TCB info and QE identity. Intel serves an older evaluation beside the " +
        "newest; whoever hands over collateral chooses. Default: 17, the TCB recovery of March 2024.",
    ),
});

const eventLog = z.strictObject({
  separators: z
    .array(z.int().min(0).max(1))
    .max(SEPARATED_RTMRS.length)
    .default([...SEPARATED_RTMRS])
    .describe(
      "RTMRs that must have exactly one separator between firmware and operating system. Default: 0 and 1. OVMF " +
        "before edk2-stable202411 measures two into RTMR0 and none into RTMR1; it needs an empty list.",
    ),
});

/** The TDX part of an appraisal policy. Everything has a strict default; what is not appraised is said in the result. */
export const tdxPolicySchema = z.strictObject({
  authenticity_only: z
    .boolean()
    .default(false)
    .describe("Check format, signatures and the chain to the root and nothing else. The result says so."),
  trust_anchors: z
    .array(hex(32))
    .min(1)
    .max(8)
    .default([INTEL_SGX_ROOT_CA_SPKI_SHA256])
    .describe(
      "Trust anchors: SHA-256 of the root's SubjectPublicKeyInfo. Default: Intel SGX Root CA. The root may not come from the evidence.",
    ),
  quoting_enclave_signers: z
    .array(hex(32))
    .min(1)
    .max(8)
    .default([INTEL_TD_QE_MRSIGNER])
    .describe(
      "MRSIGNER of quoting enclaves that may make quotes. Default: Intel's. Holds also where no QE identity is given.",
    ),
  tcb: tcb.prefault({}).describe("What the platform's firmware has to be."),
  stale_lists: z
    .enum(["fail", "accept"])
    .default("fail")
    .describe(
      "What a revocation list past its nextUpdate does: fails the check (default), or leaves it not performed. A " +
        "revoked certificate fails either way.",
    ),
  event_log: eventLog.prefault({}).describe("What an event log has to show, when one is given."),
  measurements: registers
    .default([])
    .describe("Accepted MRTD values: the measured firmware. Empty: only what the caller expects is compared."),
  rtmr0: registers
    .optional()
    .describe("Accepted RTMR0 values: firmware configuration, ACPI tables among it. Absent: not appraised."),
  rtmr1: registers.optional().describe("Accepted RTMR1 values: boot loader and kernel. Absent: not appraised."),
  rtmr2: registers.optional().describe("Accepted RTMR2 values: command line and initrd. Absent: not appraised."),
  rtmr3: register.default(ZERO_REGISTER).describe("The value RTMR3 must have. Default: zero, nothing extended it."),
  mrconfigid: register
    .optional()
    .describe("The value MRCONFIGID must have where the caller expects no launch digest. Absent: zero."),
  mrowner: register.default(ZERO_REGISTER).describe("The value MROWNER must have. Default: zero."),
  mrownerconfig: register.default(ZERO_REGISTER).describe("The value MROWNERCONFIG must have. Default: zero."),
  mrservicetd: register
    .default(ZERO_REGISTER)
    .describe(
      "The value MRSERVICETD of a TDX 1.5 report must have. Default: zero, no migration or other service TD is bound.",
    ),
  allowed_attributes: z
    .array(z.enum(TD_ATTRIBUTE_NAMES).exclude(["DEBUG"]))
    .max(64)
    .default(["SEPT_VE_DISABLE", "PKS", "PERFMON"])
    .describe("TD attributes that may be set. DEBUG never may."),
  required_attributes: z
    .array(z.enum(TD_ATTRIBUTE_NAMES).exclude(["DEBUG"]))
    .max(64)
    .default(["SEPT_VE_DISABLE"])
    .describe(
      "TD attributes that must be set. Without SEPT_VE_DISABLE the host can make the guest take exceptions on " +
        "its own memory; a paravisor handles that itself.",
    ),
});

export type TdxPolicy = z.infer<typeof tdxPolicySchema>;

/** The strict default: Intel's root, UpToDate, no debug, zero registers. */
export const STRICT_TDX_POLICY: TdxPolicy = tdxPolicySchema.parse({});
