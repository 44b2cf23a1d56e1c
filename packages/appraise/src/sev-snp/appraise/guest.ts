import type { CheckRecorder } from "../../checks/check.ts";
import {
  GUEST_POLICY_ALWAYS_ONE,
  GUEST_POLICY_BITS,
  hasBit,
  PLATFORM_INFO_BITS,
  requestedAbi,
  unknownGuestPolicyBits,
  unknownPlatformInfoBits,
  type GuestPolicyBit,
  type PlatformInfoBit,
} from "../bits.ts";
import type { SevSnpPolicy } from "../policy.ts";
import type { VerifiedSnpReport } from "../verified-report.ts";

type Rule = "required" | "forbidden" | "any";

/** REPORT_ID_MA of a guest without a migration agent. */
const NO_MIGRATION_AGENT = 0xff;

function rule(recorder: CheckRecorder, name: string, wanted: Rule, set: boolean): void {
  if (wanted === "any") recorder.notApplicable(name, `${set ? "set" : "not set"}; the policy accepts both`);
  else
    recorder.require(name, set === (wanted === "required"), "EVIDENCE_POLICY_VIOLATION", {
      passed: `${set ? "set" : "not set"}, as ${wanted === "required" ? "required" : "it must be"}`,
      failed: `${set ? "set" : "not set"}, but ${wanted}`,
    });
}

/** The guest policy the launch fixed (AMD 56860 section 4.3), and who asked for the report. */
export function appraiseGuest(recorder: CheckRecorder, report: VerifiedSnpReport, policy: SevSnpPolicy): void {
  appraiseRequester(recorder, report.vmpl, policy.vmpl);
  const rules = policy.guest_policy;
  const set = (bit: GuestPolicyBit): boolean => hasBit(report.policy, GUEST_POLICY_BITS[bit]);
  if (rules.debug === "any")
    recorder.notApplicable("guest debug", `${set("debug") ? "on" : "off"}; the policy accepts both`);
  else
    recorder.require("guest debug", !set("debug"), "EVIDENCE_DEBUG", {
      passed: "off",
      failed: "the guest was launched with debugging allowed",
    });
  const agent = report.reportIdMa.some((byte) => byte !== NO_MIGRATION_AGENT);
  rule(recorder, "guest migration agent", rules.migration_agent, set("migration_agent") || agent);
  rule(recorder, "guest SMT", rules.smt, set("smt"));
  rule(recorder, "guest single socket", rules.single_socket, set("single_socket"));
  rule(recorder, "guest CXL", rules.cxl, set("cxl"));
  rule(recorder, "guest AES-256-XTS", rules.aes_256_xts, set("aes_256_xts"));
  rule(recorder, "guest RAPL off", rules.rapl_disabled, set("rapl_disabled"));
  rule(recorder, "guest ciphertext hiding", rules.ciphertext_hiding, set("ciphertext_hiding"));
  rule(recorder, "guest page swap off", rules.page_swap_disabled, set("page_swap_disabled"));
  appraiseUnknown(recorder, "guest policy bits", rules.unknown_bits, unknownGuestPolicyBits(report.policy));
  recorder.require("guest policy form", hasBit(report.policy, GUEST_POLICY_ALWAYS_ONE), "EVIDENCE_POLICY_VIOLATION", {
    passed: "bit 17 is one",
    failed: "bit 17, which is always one, is zero",
  });
  const { major, minor } = requestedAbi(report.policy);
  const least = rules.min_abi;
  if (least === undefined)
    recorder.notApplicable("guest ABI version", `${major}.${minor} asked for; the policy accepts any`);
  else
    recorder.require(
      "guest ABI version",
      major > least.major || (major === least.major && minor >= least.minor),
      "EVIDENCE_POLICY_VIOLATION",
      {
        passed: `${major}.${minor} asked for`,
        failed: `${major}.${minor} asked for, at least ${least.major}.${least.minor} is accepted`,
      },
    );
}

// AMD 56860 table 23: the firmware sets VMPL to ffffffff when the host asks. Such a report answers no challenge, and
// no policy can accept it: its levels are 0 to 3.
function appraiseRequester(recorder: CheckRecorder, vmpl: number, accepted: readonly number[]): void {
  const other =
    vmpl > 3
      ? "the host asked for this report, not the guest"
      : `asked for from VMPL ${vmpl}, accepted: ${accepted.join(", ")}`;
  recorder.require("VMPL", accepted.includes(vmpl), "EVIDENCE_POLICY_VIOLATION", {
    passed: `asked for from VMPL ${vmpl}`,
    failed: other,
  });
}

function appraiseUnknown(
  recorder: CheckRecorder,
  name: string,
  wanted: "forbidden" | "any",
  unknown: readonly number[],
): void {
  if (wanted === "any" && unknown.length > 0)
    recorder.notApplicable(name, `unknown bits ${unknown.join(", ")}; the policy accepts them`);
  else
    recorder.require(name, unknown.length === 0, "EVIDENCE_POLICY_VIOLATION", {
      passed: "every bit is known",
      failed: `unknown bits ${unknown.join(", ")}`,
    });
}

const PLATFORM_NAMES: Readonly<Record<PlatformInfoBit, string>> = {
  smt: "platform SMT",
  tsme: "platform TSME",
  ecc: "platform ECC",
  rapl_disabled: "platform RAPL off",
  ciphertext_hiding: "platform ciphertext hiding",
  alias_check: "platform memory alias check",
  iommu_write_safe: "platform IOMMU write safe",
  tio: "platform trusted I/O",
};

/** What the machine says of itself (PLATFORM_INFO, AMD 56860 section 7.3). */
export function appraisePlatform(
  recorder: CheckRecorder,
  { platformInfo }: VerifiedSnpReport,
  { platform }: SevSnpPolicy,
): void {
  for (const bit of Object.keys(PLATFORM_NAMES) as PlatformInfoBit[])
    rule(recorder, PLATFORM_NAMES[bit], platform[bit], hasBit(platformInfo, PLATFORM_INFO_BITS[bit]));
  appraiseUnknown(recorder, "platform bits", platform.unknown_bits, unknownPlatformInfoBits(platformInfo));
}
