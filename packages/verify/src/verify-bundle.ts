import type { VerifierCrypto } from "@cmcp/appraise";
import { approvedCalls } from "./approved-calls.ts";
import { reportLinks } from "./bundle/links.ts";
import { readBundle, type BundleBytes, type ReadBundle } from "./bundle/read-bundle.ts";
import { Checklist } from "./checklist.ts";
import { canBeEd25519, verifyEd25519 } from "./crypto.ts";
import { checkDisclosure, parseDisclosure } from "./disclosure.ts";
import type { RecordExpectations } from "./expectations.ts";
import { numbersIn, parseReceipt } from "./parse.ts";
import { canBeSigned, checkChainPosition, checkReceipt } from "./receipt/receipt.ts";
import { conditionsOf, NO_CONDITIONS } from "./session/conditions.ts";
import { completenessOf, coveredBy, type CoveredSession } from "./session/covered.ts";
import {
  acceptedModes,
  checkChannel,
  checkEnforced,
  checkHistory,
  checkMode,
  checkProvisioning,
} from "./session/terms.ts";
import { checkStorage, reportRestored } from "./session/check-stored-sets.ts";
import type { Verdict } from "./verdict.ts";

/** The files of such a verification, as received. */
export interface BundleRecord {
  /** All of its bytes, or its bytes as they come. What is held of it does not grow with its length. */
  readonly bundle: BundleBytes;
  /** Receipts that a relying party holds; each must match an entry of the chain. */
  readonly receipts?: readonly Uint8Array[];
  /** Calls that an auditor disclosed; each must be what its entry commits to. */
  readonly disclosures?: readonly Uint8Array[];
}

/**
 * Verifies an audit bundle by itself: that it is one unbroken chain, and that receipts stand in it. Without
 * a claim nothing says under which policy and on which platform it was made, and without a pinned key
 * anybody could have made it. Never throws for what the record holds. What the source of the bytes throws is thrown on.
 */
export async function verifyBundle(
  record: BundleRecord,
  expected: RecordExpectations,
  crypto: VerifierCrypto,
): Promise<Verdict> {
  const list = new Checklist();
  const disclosures = (record.disclosures ?? []).flatMap(
    (bytes) =>
      list.attempt("disclosed call form", "DISCLOSURE_MALFORMED", "strict JSON of the documented form", () =>
        parseDisclosure(bytes),
      ) ?? [],
  );
  const numbers = new Set([
    ...numbersIn(record.receipts ?? []),
    ...disclosures.map(({ sequence_number: number }) => number),
  ]);
  const bundle = await list.attemptReading(
    "bundle form",
    "BUNDLE_MALFORMED",
    "strict JSON of the documented form",
    async () => readBundle(crypto, record.bundle, { numbers, calls: false }),
  );
  const covered = bundle === null ? null : await checkBundleAlone(crypto, bundle, expected, list);
  if (bundle !== null) {
    checkTerms(bundle, covered, expected, list);
    await checkReceipts({ crypto, expected, list }, bundle, record.receipts ?? []);
    const context = { session: bundle.sessionId, entries: bundle.session };
    for (const disclosed of disclosures) await checkDisclosure(crypto, disclosed, context, list);
  }
  list.notPerformed(
    "claim",
    "none is looked at: policy, catalog, platform and attestation are not shown (cmcp verify CLAIM --audit-bundle)",
  );
  list.require("software-only accepted", expected.allowSoftwareOnly, "SOFTWARE_ONLY_NOT_ACCEPTED", {
    passed: "explicitly accepted for this verification",
    failed: "a record without hardware evidence is not accepted unless asked for",
  });
  const outcome = list.outcome();
  const accepted = outcome === "accepted" ? covered : null;
  return {
    outcome,
    completeness: completenessOf(covered),
    coveredEntries: covered?.length ?? null,
    conditions: accepted === null ? NO_CONDITIONS : conditionsOf(accepted),
    assurance: accepted === null ? "none established" : "functional only",
    origin: accepted === null ? "not proven" : "trusted key",
    session: covered === null ? null : (bundle?.sessionId ?? null),
    signingKey: covered === null ? null : (expected.trustedKey ?? null),
    ...(accepted === null || bundle === null ? {} : approvedCalls(bundle)),
    checks: list.checks,
  };
}

/**
 * What is asked of the session. Entries that no verified signature covers can only speak against it: a mode that is not
 * accepted rejects, and an accepted one shows nothing.
 */
function checkTerms(
  { session }: ReadBundle,
  covered: CoveredSession | null,
  expected: RecordExpectations,
  list: Checklist,
): void {
  const conditions = covered === null ? NO_CONDITIONS : conditionsOf(covered);
  // A bundle that is rejected already says nothing of its session.
  if (covered === null && !list.clean) return;
  if (covered !== null) {
    checkMode(conditions, acceptedModes(expected), list);
    checkEnforced(conditions, list);
  } else {
    const said = conditionsOf(session);
    if (said.mode === null || !acceptedModes(expected).includes(said.mode))
      checkMode(said, acceptedModes(expected), list);
    else list.notPerformed("enforcement mode", "no signature that was verified covers what the entries say of it");
    checkEnforced(said, list);
  }
  checkHistory(conditions, expected, list);
  checkChannel(conditions, expected, list);
  checkProvisioning(conditions, expected, list);
  // Entries that nobody signed can only speak against themselves.
  checkStorage(covered === null ? { ...session.storedSets, storage: null } : covered.storedSets, list);
  if (covered !== null) reportRestored(covered.storedSets, list);
}

/** @returns what the entries say, if they are one chain that the pinned key signed */
async function checkBundleAlone(
  crypto: VerifierCrypto,
  { session, signature, chain, digest, resets, statements, approvals, disclosures }: ReadBundle,
  { trustedKey }: RecordExpectations,
  list: Checklist,
): Promise<CoveredSession | null> {
  list.require("audit chain", chain.ok, "CHAIN_BROKEN", {
    passed: `${session.length} entries, every hash derived again`,
    failed: chain.ok ? "" : chain.why,
  });
  if (chain.ok) reportLinks(session.links, list);
  resets.report(list);
  statements.report(list);
  approvals.report(list);
  disclosures.report(list);
  if (trustedKey === undefined) {
    if (!canBeEd25519(signature)) list.fail("bundle signature", "SIGNATURE_INVALID", "no key signs like this");
    else
      list.notPerformed("bundle signature", "no key was pinned (--trusted-key): anybody could have made this bundle");
    return null;
  }
  const signed = list.require(
    "bundle signature",
    await verifyEd25519(crypto, trustedKey, signature, digest),
    "SIGNATURE_INVALID",
    { passed: "signed by the pinned key", failed: "the bundle was not signed by the pinned key" },
  );
  return chain.ok && signed ? coveredBy(session) : null;
}

interface BundleContext {
  readonly crypto: VerifierCrypto;
  readonly expected: RecordExpectations;
  readonly list: Checklist;
}

async function checkReceipts(
  { crypto, expected: { trustedKey }, list }: BundleContext,
  bundle: ReadBundle,
  held: readonly Uint8Array[],
): Promise<void> {
  if (held.length === 0)
    list.notPerformed(
      "receipts",
      "no receipt was given (--receipt): what was withheld from the record cannot be found",
    );
  for (const bytes of held) {
    const receipt = list.attempt("receipt form", "RECEIPT_MALFORMED", "strict JSON of the documented form", () =>
      parseReceipt(bytes),
    );
    if (receipt === null) continue;
    const context = { session: bundle.sessionId, entries: bundle.session };
    if (trustedKey !== undefined)
      await checkReceipt(crypto, receipt, { ...context, jwk: { kty: "OKP", crv: "Ed25519", x: trustedKey } }, list);
    else {
      const name = `receipt ${receipt.sequence_number} signature`;
      if (!canBeSigned(receipt)) list.fail(name, "RECEIPT_INVALID", "no key signs like this");
      else list.notPerformed(name, "no key was pinned (--trusted-key)");
      checkChainPosition(receipt, context, list);
    }
  }
}
