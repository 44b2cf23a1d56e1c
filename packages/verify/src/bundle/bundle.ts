import { bundleHashInput, type AuditBundle } from "@cmcp/audit/schema";
import type { Claim } from "@cmcp/claim/schema";
import type { Checklist } from "../checklist.ts";
import { sha256, verifyEd25519, type VerifierCrypto } from "../crypto.ts";
import { checkAgreement } from "./agreement.ts";
import { deriveChain } from "./chain.ts";
import { checkResets } from "./resets.ts";

/** The audit bundle is the claim's session, whole, unaltered and signed by the same key. */
export async function checkBundle(
  crypto: VerifierCrypto,
  claim: Claim,
  bundle: AuditBundle,
  pinnedPolicy: string | undefined,
  list: Checklist,
): Promise<void> {
  const { audit_chain: chain, session_id: session } = claim.gateway;
  list.require(
    "bundle's session",
    bundle.session_id === session,
    "CHAIN_BROKEN",
    "the bundle is of the claim's session",
    "the bundle is of another session",
  );
  const found = await deriveChain(crypto, bundle.session_id, bundle.entries);
  if (!found.ok) {
    list.fail("audit chain", "CHAIN_BROKEN", found.why);
    return;
  }
  const same = found.root === chain.root && found.tip === chain.tip && bundle.entries.length === chain.length;
  if (
    !list.require(
      "audit chain",
      same,
      "CHAIN_BROKEN",
      `${chain.length} entries, every hash derived again`,
      "root, tip or length is not the claim's",
    )
  )
    return;
  const digest = await sha256(crypto, bundleHashInput(bundle.entries));
  list.require(
    "bundle signature",
    await verifyEd25519(crypto, claim.trace.cnf.jwk.x, bundle.bundle_signature, digest),
    "SIGNATURE_INVALID",
    "signed by the claim's key",
    "the bundle was not signed by the claim's key",
  );
  await checkResets(crypto, bundle.entries, list);
  checkAgreement(claim, bundle, pinnedPolicy, list);
}
