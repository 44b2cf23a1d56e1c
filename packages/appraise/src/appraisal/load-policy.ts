import { CmcpError, asCmcpError, parseJson, type JsonLimits, type Untrusted, schemaProblem } from "@cmcp/boundary";
import { appraisalPolicySchema, type AppraisalPolicy } from "./policy.ts";
import { PRESETS, type PresetName } from "./presets.ts";

const LIMITS: JsonLimits = { maxBytes: 1024 * 1024, maxDepth: 12, maxItems: 20_000 };

/** A policy that is part of another document. @param what where it is, for the error @throws CmcpError `APPRAISAL_POLICY_INVALID` */
export function readAppraisalPolicy(value: unknown, what: string): AppraisalPolicy {
  const parsed = appraisalPolicySchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new CmcpError("APPRAISAL_POLICY_INVALID", `${what}: ${schemaProblem(parsed.error).text}`);
}

export function isPreset(name: string): name is PresetName {
  return Object.hasOwn(PRESETS, name);
}

/** A named policy, complete. */
export function preset(name: PresetName): AppraisalPolicy {
  return readAppraisalPolicy(PRESETS[name], `preset ${name}`);
}

/** Reads a policy file. Keys it does not know are refused by name. @throws CmcpError `APPRAISAL_POLICY_INVALID` */
export function parseAppraisalPolicy(bytes: Untrusted<Uint8Array>): AppraisalPolicy {
  let value: unknown;
  try {
    value = parseJson(bytes, LIMITS);
  } catch (thrown) {
    throw new CmcpError(
      "APPRAISAL_POLICY_INVALID",
      `the policy is not strict JSON: ${asCmcpError(thrown, "JSON_SYNTAX", "unreadable").message}`,
      { cause: thrown },
    );
  }
  return readAppraisalPolicy(value, "the policy");
}
