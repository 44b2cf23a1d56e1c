import { CmcpError, canonicalBytes, parseJson, type Untrusted, schemaProblem } from "@cmcp/boundary";
import * as z from "zod";
import { bundleSchema, MAX_LAUNCH_DOCUMENT } from "./schema.ts";

const reloadSchema = z.strictObject({ v: z.literal(1), policy_bundle: bundleSchema });

/** Another policy bundle for a running enclave: relative path to text. */
export type PolicyReload = z.output<typeof reloadSchema>;

const invalid = (why: string, cause?: unknown): CmcpError =>
  new CmcpError("POLICY_BUNDLE_INVALID", `reload message: ${why}`, { cause });

/** Canonical bytes of a reload message. */
export function buildPolicyReload(policyBundle: PolicyReload["policy_bundle"]): Uint8Array<ArrayBuffer> {
  return canonicalBytes({ v: 1, policy_bundle: policyBundle });
}

/** Reads a reload message of at most {@link MAX_LAUNCH_DOCUMENT} bytes. @throws CmcpError `POLICY_BUNDLE_INVALID` */
export function parsePolicyReload(input: Untrusted<Uint8Array>): PolicyReload {
  let value: unknown;
  try {
    value = parseJson(input, { maxBytes: MAX_LAUNCH_DOCUMENT, maxDepth: 4, maxItems: 10_000 });
  } catch (thrown) {
    throw invalid(thrown instanceof CmcpError ? thrown.message : "not JSON", thrown);
  }
  const parsed = reloadSchema.safeParse(value);
  if (!parsed.success) throw invalid(schemaProblem(parsed.error).text);
  return parsed.data;
}
