import { sha256 } from "@cmcp/appraise";
import { bundleHashInput, type AuditBundle } from "@cmcp/audit/schema";
import type { ClaimContext } from "../claim/context.ts";
import { verifyEd25519 } from "../crypto.ts";
import { coveredBy, type CoveredEntries } from "../session/covered.ts";
import { checkAgreement } from "./agreement.ts";
import { deriveChain } from "./chain.ts";
import { checkKillSwitch, checkOperatorStatements } from "./kill-switch.ts";
import { checkResets } from "./resets.ts";

/**
 * The audit bundle is the claim's session, whole, unaltered and signed by the same key.
 * @returns its entries, if they are the chain that the claim names
 */
export async function checkBundle(
  { crypto, claim, expected, list }: ClaimContext,
  bundle: AuditBundle,
): Promise<CoveredEntries | null> {
  const { audit_chain: chain, session_id: session } = claim.gateway;
  list.require("bundle's session", bundle.session_id === session, "CHAIN_BROKEN", {
    passed: "the bundle is of the claim's session",
    failed: "the bundle is of another session",
  });
  const found = await deriveChain(crypto, bundle.session_id, bundle.entries);
  if (!found.ok) {
    list.fail("audit chain", "CHAIN_BROKEN", found.why);
    return null;
  }
  const same = found.root === chain.root && found.tip === chain.tip && bundle.entries.length === chain.length;
  if (
    !list.require("audit chain", same, "CHAIN_BROKEN", {
      passed: `${chain.length} entries, every hash derived again`,
      failed: "root, tip or length is not the claim's",
    })
  )
    return null;
  const digest = await sha256(crypto, bundleHashInput(bundle.entries));
  list.require(
    "bundle signature",
    await verifyEd25519(crypto, claim.trace.cnf.jwk.x, bundle.bundle_signature, digest),
    "SIGNATURE_INVALID",
    { passed: "signed by the claim's key", failed: "the bundle was not signed by the claim's key" },
  );
  await checkResets(crypto, bundle.entries, list);
  await checkOperatorStatements(crypto, bundle.entries, list);
  checkKillSwitch(claim, bundle.entries, list);
  checkAgreement(claim, bundle, expected.policyHash, list);
  return coveredBy(bundle.entries, bundle.entries.length);
}
