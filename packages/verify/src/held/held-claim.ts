import type { VerifierCrypto } from "@cmcp/appraise";
import { claimSigningInput, type Claim } from "@cmcp/claim/schema";
import type { Checklist } from "../checklist.ts";
import { claimHashOf } from "../claim/claim-hash.ts";
import type { ClaimContext } from "../claim/context.ts";
import { verifyEd25519 } from "../crypto.ts";
import type { CoveredSession } from "../session/covered.ts";

/** The result of comparing a held claim with the verified one: consistent, or why both cannot be of one history. */
type Comparison = { readonly status: "agrees" | "contradicts" | "open"; readonly why: string };

const contradicts = (why: string): Comparison => ({ status: "contradicts", why });

/** Two claims of one session: the shorter chain is the beginning of the longer, and what is judged is not the shorter. */
function compareChains(shown: Claim, held: Claim, entries: CoveredSession | null): Comparison {
  const [now, then] = [shown.gateway.audit_chain, held.gateway.audit_chain];
  if (then.length > now.length)
    return contradicts(
      `it covers ${then.length} entries of this session, and ${now.length} are shown: the rest was withheld or rolled back`,
    );
  if (then.length === now.length)
    return then.tip === now.tip
      ? { status: "agrees", why: "of the same session, at the same entry" }
      : contradicts("the session's chain ends otherwise there: it was forked");
  if (entries === null)
    return {
      status: "open",
      why: "whether its chain is the beginning of this one needs the audit bundle (--audit-bundle)",
    };
  if (entries.at(then.length - 1)?.entry_hash !== then.tip)
    return contradicts("the chain does not go through the entry it ends with: it was rolled back or forked");
  return { status: "agrees", why: `its ${then.length} entries are the beginning of this session's chain` };
}

/** Claims of one instance are numbered, and each names the one before. */
async function compareNumbers(crypto: VerifierCrypto, shown: Claim, held: Claim): Promise<Comparison> {
  const step = shown.gateway.sequence_number - held.gateway.sequence_number;
  if (step === 0)
    return (await claimHashOf(crypto, shown)) === (await claimHashOf(crypto, held))
      ? { status: "agrees", why: "the same claim" }
      : contradicts("another claim of this instance has the same number: it was forked");
  const [earlier, later] = step > 0 ? [held, shown] : [shown, held];
  if (Math.abs(step) > 1)
    return {
      status: "open",
      why: `the ${Math.abs(step) - 1} claims between the two are not here, so that nothing links them`,
    };
  if (later.gateway.prev_claim_hash !== (await claimHashOf(crypto, earlier)))
    return contradicts("the later of the two does not follow the earlier: the instance was forked");
  return { status: "agrees", why: step > 0 ? "the claim before this one" : "the claim after this one" };
}

/** Compares a held claim with the verified one. Both must be of one history; after a fork they are not. */
export async function checkHeldClaim(
  { crypto, claim: shown, list }: ClaimContext,
  held: Claim,
  entries: CoveredSession | null,
): Promise<void> {
  const name = `held claim ${held.gateway.sequence_number}`;
  const key = held.trace.cnf.jwk.x;
  const signed = await verifyEd25519(crypto, key, held.signature, claimSigningInput(held));
  if (
    !list.require(`${name} signature`, signed, "SIGNATURE_INVALID", {
      passed: "verifies under its key",
      failed: "the held claim was changed: it says nothing about this one",
    })
  )
    return;
  if (key !== shown.trace.cnf.jwk.x)
    return list.fail(
      name,
      "CHAIN_BROKEN",
      "it is of another instance: the gateway was restarted between the two, or two run beside each other",
    );
  note(name, await compareNumbers(crypto, shown, held), list);
  if (shown.gateway.session_id === held.gateway.session_id)
    note(`${name} in the chain`, compareChains(shown, held, entries), list);
}

function note(name: string, { status, why }: Comparison, list: Checklist): void {
  if (status === "open") list.notPerformed(name, why);
  else list.require(name, status === "agrees", "CHAIN_BROKEN", { passed: why, failed: why });
}
