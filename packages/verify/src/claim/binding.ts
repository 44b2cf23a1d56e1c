import { sha256, sha256Hex, type VerifierCrypto, type EvidenceFile } from "@cmcp/appraise";
import { fromBase64Url, toHex } from "@cmcp/boundary";
import { sessionBindingInput, thumbprintInput } from "@cmcp/appraise/evidence";
import type { Claim } from "@cmcp/claim/schema";
import type { Checklist } from "../checklist.ts";

/** report_data is thumbprint of the signing key, then SHA-256 of the chain root: 64 bytes (claim SPEC, "report_data"). */
export async function checkBinding(crypto: VerifierCrypto, claim: Claim, list: Checklist): Promise<void> {
  const reportData = fromBase64Url(claim.trace.runtime.nonce) ?? new Uint8Array();
  const thumbprint = await sha256Hex(crypto, thumbprintInput(claim.trace.cnf.jwk));
  list.require("key bound by report data", toHex(reportData.subarray(0, 32)) === thumbprint, "PUBLIC_KEY_NOT_BOUND", {
    passed: "the first half is the signing key's thumbprint",
    failed: "the first half is not the signing key's thumbprint",
  });
  const root = await sha256Hex(crypto, sessionBindingInput(claim.gateway.audit_chain.root));
  list.require(
    "chain root bound by report data",
    // All that follows the first half: both checks together hold for 64 bytes only.
    toHex(reportData.subarray(32)) === root,
    "CHAIN_ROOT_NOT_BOUND",
    {
      passed: "the second half is the hash of the chain's root",
      failed: "the second half is not the hash of the chain's root",
    },
  );
}

/** The 64 bytes that the claim's own key and chain give; neither claim nor evidence file is asked for them. */
export async function reportDataOf(crypto: VerifierCrypto, claim: Claim): Promise<Uint8Array> {
  const bytes = new Uint8Array(64);
  bytes.set(await sha256(crypto, thumbprintInput(claim.trace.cnf.jwk)));
  bytes.set(await sha256(crypto, sessionBindingInput(claim.gateway.audit_chain.root)), 32);
  return bytes;
}

/** What an evidence file says of itself: that it was made for this claim. */
export async function checkReportDataOfFile(
  crypto: VerifierCrypto,
  claim: Claim,
  { claimedReportData }: EvidenceFile,
  list: Checklist,
): Promise<void> {
  const reportData = await reportDataOf(crypto, claim);
  list.require(
    "report data in evidence file",
    toHex(claimedReportData) === toHex(reportData),
    "EVIDENCE_REPORT_DATA_MISMATCH",
    {
      passed: "the file says it was made for this claim's key and chain",
      failed: "the file says it was made for another key or chain",
    },
  );
}
