import { CmcpError, toBase64Url } from "@cmcp/boundary";
import { instanceReportData } from "@cmcp/attestation";
import type { Core } from "../core.ts";
import { json } from "./json-response.ts";

const NONCE = /^[A-Za-z0-9_-]{16,128}$/;

/** `GET /attestation?nonce=`: a report that commits to the nonce, the keys and what is loaded. */
export async function attestation(core: Core, url: URL): Promise<Response> {
  const nonce = url.searchParams.get("nonce") ?? "";
  if (!NONCE.test(nonce)) throw new CmcpError("MCP_INVALID_REQUEST", "nonce must be 16 to 128 base64url characters");
  const binding = {
    purpose: "instance-attestation" as const,
    nonce,
    keys: { signing: core.key.jwk.x },
    policy_hash: core.policy.bundle.hash,
    catalog_hash: core.catalog.hash,
    enforcement_mode: core.config.attestation.enforcement_mode,
    launch_digest: core.launchDigest,
  };
  const reportData = instanceReportData(core.key.thumbprint, binding);
  const { reportData: bytes, generatedAt, ...evidence } = await core.attest(reportData);
  return json({ binding, evidence: { ...evidence, report_data: toBase64Url(bytes), generated_at: new Date(generatedAt).toISOString() } });
}
