import { isZero, toHex } from "@cmcp/boundary";
import type { Row } from "../event-log/describe.ts";
import {
  GUEST_POLICY_BITS,
  hasBit,
  PLATFORM_INFO_BITS,
  requestedAbi,
  unknownGuestPolicyBits,
  unknownPlatformInfoBits,
} from "./bits.ts";
import { productOfCpuid } from "./product.ts";
import { readKeyInfo, type FirmwareVersion, type ParsedSnpReport } from "./report.ts";
import { readTcb, tcbText } from "./tcb.ts";

/** A report for a person to read, field by field. It shows what the report says, not what was verified. */
export function describeSnpReport({ unverified: report, signature }: ParsedSnpReport): readonly Row[] {
  // Turin has its own TCB layout and never had reports without a processor identification.
  const product = report.cpuid === null ? undefined : productOfCpuid(report.cpuid);
  const tcb = (bytes: Uint8Array): string => `${tcbText(readTcb(bytes, product ?? "Milan"))} (${toHex(bytes)})`;
  const key = readKeyInfo(report.keyInfo);
  const abi = requestedAbi(report.policy);
  const { cpuid } = report;
  return [
    { label: "version", value: `${report.version}` },
    {
      label: "processor",
      value:
        cpuid === null
          ? "not in this version"
          : `${product ?? "not known"}, family ${cpuid.family}, model ${cpuid.model}, stepping ${cpuid.stepping}`,
    },
    { label: "chip", value: isZero(report.chipId) ? "masked" : toHex(report.chipId) },
    { label: "signed by", value: `${key.signer}${key.maskChipKey ? ", chip key masked" : ""}` },
    { label: "VMPL", value: report.vmpl > 3 ? "asked for by the host" : `${report.vmpl}` },
    { label: "measurement", value: toHex(report.measurement) },
    { label: "report data", value: toHex(report.reportData) },
    { label: "host data", value: toHex(report.hostData) },
    {
      label: "guest policy",
      value: `0x${report.policy.toString(16)}: ABI ${abi.major}.${abi.minor}${bitNames(report.policy, GUEST_POLICY_BITS, unknownGuestPolicyBits(report.policy))}`,
    },
    {
      label: "platform",
      value: `0x${report.platformInfo.toString(16)}${bitNames(report.platformInfo, PLATFORM_INFO_BITS, unknownPlatformInfoBits(report.platformInfo))}`,
    },
    { label: "reported TCB", value: tcb(report.reportedTcb) },
    { label: "committed TCB", value: `${tcb(report.committedTcb)}, firmware ${versionText(report.committedVersion)}` },
    { label: "current TCB", value: `${tcb(report.currentTcb)}, firmware ${versionText(report.currentVersion)}` },
    { label: "launch TCB", value: tcb(report.launchTcb) },
    {
      label: "mitigations",
      value:
        report.launchMitigations === null || report.currentMitigations === null
          ? "not in this version"
          : `0x${report.launchMitigations.toString(16)} at launch, 0x${report.currentMitigations.toString(16)} now`,
    },
    { label: "guest SVN", value: `${report.guestSvn}` },
    { label: "family", value: toHex(report.familyId) },
    { label: "image", value: toHex(report.imageId) },
    { label: "ID key", value: isZero(report.idKeyDigest) ? "none" : toHex(report.idKeyDigest) },
    {
      label: "author key",
      value: isZero(report.authorKeyDigest)
        ? "none"
        : `${toHex(report.authorKeyDigest)}${key.authorKey ? "" : ", not in use"}`,
    },
    { label: "report", value: toHex(report.reportId) },
    {
      label: "migration agent",
      value: report.reportIdMa.every((byte) => byte === 0xff) ? "none" : toHex(report.reportIdMa),
    },
    { label: "signature", value: isZero(signature) ? "none" : toHex(signature.subarray(0, 144)) },
  ];
}

function bitNames(value: bigint, known: Readonly<Record<string, number>>, unknown: readonly number[]): string {
  const names = Object.keys(known).filter((name) => hasBit(value, known[name] ?? 64));
  return [...names, ...unknown.map((bit) => `unknown bit ${bit}`)]
    .map((name) => `, ${name.replaceAll("_", " ")}`)
    .join("");
}

function versionText({ major, minor, build }: FirmwareVersion): string {
  return `${major}.${minor}.${build}`;
}
