import { toBase64Url } from "@cmcp/boundary";
import { instanceReportData, type InstanceBinding } from "@cmcp/attestation";
import type { Core } from "./core.ts";

/** A platform report over what this instance answers for, with what its report_data was made of. */
export interface InstanceReport {
  readonly binding: InstanceBinding;
  readonly evidence: { readonly report_data: string; readonly generated_at: string };
}

/** Asks the platform for a report that commits to a nonce, the keys, a policy and what is loaded beside it. */
export async function instanceReport(core: Core, policyHash: string, nonce: string): Promise<InstanceReport> {
  const binding: InstanceBinding = {
    purpose: "instance-attestation",
    nonce,
    keys: { signing: core.key.jwk.x },
    policy_hash: policyHash,
    catalog_hash: core.catalog.hash,
    enforcement_mode: core.config.attestation.enforcement_mode,
    launch_digest: core.launchDigest,
  };
  const { reportData, generatedAt, ...evidence } = await core.attest(instanceReportData(core.key.thumbprint, binding));
  return { binding, evidence: { ...evidence, report_data: toBase64Url(reportData), generated_at: new Date(generatedAt).toISOString() } };
}
