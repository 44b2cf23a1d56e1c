import { CmcpError, fromHex, untrusted } from "@cmcp/boundary";
import {
  EVIDENCE_PLATFORMS,
  PRESETS,
  isPreset,
  parseAppraisalPolicy,
  preset,
  type AppraisalPolicy,
  type EvidencePlatform,
} from "@cmcp/appraise";
import * as z from "zod";
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
  if (bytes === undefined || (widths.length > 0 && !widths.includes(bytes.length)))
    throw new CmcpError("USAGE", `${name} is hex${widths.length === 0 ? "" : ` of ${widths.join(" or ")} bytes`}`);
  return bytes;
}

/**
 * A date that there is, and with a time its offset: `Date` takes `12` for a month, and the 30th of February for a day
 * of March.
 */
const moment = z.union([z.iso.datetime({ offset: true }), z.iso.date()]);

/** `--at`: the time of verification; of a date alone its first moment in UTC. @throws CmcpError `USAGE` */
export function timeOf(value: string | undefined): Date {
  if (value === undefined) return new Date();
  if (!moment.safeParse(value).success)
    throw new CmcpError(
      "USAGE",
      "--at is an ISO 8601 date, or a date and time with its offset, such as 2026-09-21T14:13:50Z",
    );
  return new Date(value);
}

/**
 * `--policy` or what the command calls it: a preset's name, or a file.
 * @throws CmcpError `USAGE`, `APPRAISAL_POLICY_INVALID`
 */
export async function policyOf(
  value: string | undefined,
  option = "--policy",
): Promise<{ readonly id: string; readonly policy: AppraisalPolicy }> {
  const name = value ?? "strict";
  if (isPreset(name)) return { id: name, policy: preset(name) };
  if (!/[./\\]/.test(name))
    throw new CmcpError(
      "USAGE",
      `${option} is one of ${Object.keys(PRESETS).join(", ")}, or a file by its path, such as ./NAME`,
    );
  return { id: name, policy: parseAppraisalPolicy(untrusted(await readFileOf(name))) };
}
