import type { ClaimContext } from "../claim/context.ts";
import { verifyEd25519 } from "../crypto.ts";
import { coveredBy, type CoveredSession } from "../session/covered.ts";
import { checkAgreement } from "./agreement.ts";
import { checkKillSwitch } from "./kill-switch.ts";
import { reportLinks } from "./links.ts";
import type { ReadBundle } from "./read-bundle.ts";

/**
 * The audit bundle is the claim's session, whole, unaltered and signed by the same key.
 * @returns what its entries say, if they are the chain that the claim names
 */
export async function checkBundle(
  { crypto, claim, expected, list }: ClaimContext,
  { sessionId, session, signature, chain: found, digest, resets, statements, approvals, disclosures }: ReadBundle,
): Promise<CoveredSession | null> {
  const { audit_chain: chain, session_id: claimed } = claim.gateway;
  list.require("bundle's session", sessionId === claimed, "CHAIN_BROKEN", {
    passed: "the bundle is of the claim's session",
    failed: "the bundle is of another session",
  });
  if (!found.ok) {
    list.fail("audit chain", "CHAIN_BROKEN", found.why);
    return null;
  }
  const same = found.root === chain.root && found.tip === chain.tip && session.length === chain.length;
  if (
    !list.require("audit chain", same, "CHAIN_BROKEN", {
      passed: `${chain.length} entries, every hash derived again`,
      failed: "root, tip or length is not the claim's",
    })
  )
    return null;
  list.require(
    "bundle signature",
    await verifyEd25519(crypto, claim.trace.cnf.jwk.x, signature, digest),
    "SIGNATURE_INVALID",
    { passed: "signed by the claim's key", failed: "the bundle was not signed by the claim's key" },
  );
  reportLinks(session.links, list);
  resets.report(list);
  statements.report(list);
  approvals.report(list);
  disclosures.report(list);
  const { calls } = session;
  if (calls === null) throw new TypeError("a bundle was read without what its claim is held to");
  checkKillSwitch(claim, calls, list);
  checkAgreement(claim, { ...session, calls }, expected, list);
  return coveredBy(session);
}
