import { CmcpError, fromHex, untrusted } from "@cmcp/boundary";
import { EVIDENCE_PLATFORMS, PRESETS, isPreset, parseAppraisalPolicy, preset, type AppraisalPolicy, type EvidencePlatform } from "@cmcp/attestation/verify";
import { readFileOf } from "../read-file.ts";

/** `--platform`. @throws CmcpError `USAGE`, `ATTESTATION_PROVIDER_UNSUPPORTED` for names without evidence */
export function platformOf(name: string): EvidencePlatform {
  const platform = EVIDENCE_PLATFORMS.find((known) => known === name);
  if (platform === undefined) throw new CmcpError("USAGE", `--platform is one of ${EVIDENCE_PLATFORMS.join(", ")}`);
  return platform;
}

/** Bytes in hex, of any width a platform uses. @throws CmcpError `USAGE` naming the option */
export function hexOption(name: string, value: string, widths: readonly number[]): Uint8Array {
  const bytes = fromHex(value.toLowerCase());
  if (bytes === undefined || (widths.length > 0 && !widths.includes(bytes.length))) throw new CmcpError("USAGE", `${name} is hex${widths.length === 0 ? "" : ` of ${widths.join(" or ")} bytes`}`);
  return bytes;
}

/** `--at`: the time of verification. @throws CmcpError `USAGE` */
export function timeOf(value: string | undefined): Date {
  const at = value === undefined ? new Date() : new Date(value);
  if (Number.isNaN(at.getTime())) throw new CmcpError("USAGE", "--at is an ISO 8601 time");
  return at;
}

/** `--policy`: a preset's name, or a file. @throws CmcpError `USAGE`, `APPRAISAL_POLICY_INVALID` */
export async function policyOf(value: string | undefined): Promise<{ readonly id: string; readonly policy: AppraisalPolicy }> {
  const name = value ?? "strict";
  if (isPreset(name)) return { id: name, policy: preset(name) };
  if (!/[./\\]/.test(name)) throw new CmcpError("USAGE", `--policy is a file or one of ${Object.keys(PRESETS).join(", ")}`);
  return { id: name, policy: parseAppraisalPolicy(untrusted(await readFileOf(name))) };
}
