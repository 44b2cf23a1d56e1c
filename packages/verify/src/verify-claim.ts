import type { AuditBundle, Receipt } from "@cmcp/audit/schema";
import type { Claim } from "@cmcp/claim/schema";
import { checkBundle } from "./bundle/bundle.ts";
import { Checklist } from "./checklist.ts";
import { checkBinding } from "./claim/binding.ts";
import { checkLaunch } from "./claim/launch.ts";
import { checkAge, checkPins } from "./claim/pins.ts";
import { checkPlatform, type PlatformAssurance } from "./claim/platform.ts";
import { checkSignature } from "./claim/signature.ts";
import type { VerifierCrypto } from "./crypto.ts";
import type { Expectations } from "./expectations.ts";
import { parseBundle, parseClaim, parseReceipt } from "./parse.ts";
import { checkReceipt } from "./receipt/receipt.ts";
import type { Completeness, Verdict } from "./verdict.ts";

/** The files of a verification, as received. */
export interface ClaimRecord {
  readonly claim: Uint8Array;
  readonly bundle?: Uint8Array;
  readonly receipts?: readonly Uint8Array[];
  /** The evidence file beside the claim. */
  readonly evidence?: Uint8Array;
}

/**
 * Verifies a claim offline. Never throws for what the record holds: every finding is a check of the verdict.
 */
export async function verifyClaim(record: ClaimRecord, expected: Expectations, crypto: VerifierCrypto): Promise<Verdict> {
  const list = new Checklist();
  const claim = list.attempt("claim form", "CLAIM_MALFORMED", "strict JSON of the documented form", () => parseClaim(record.claim));
  const { bundle: given } = record;
  const bundle = given === undefined ? null : list.attempt("bundle form", "BUNDLE_MALFORMED", "strict JSON of the documented form", () => parseBundle(given));
  const receipts = (record.receipts ?? []).map((bytes) => list.attempt("receipt form", "RECEIPT_INVALID", "strict JSON of the documented form", () => parseReceipt(bytes)));
  if (claim === null) return verdict(list, null, null, false, "none");
  const signed = await checkSignature(crypto, claim, expected, list);
  await checkBinding(crypto, claim, list);
  const assurance = await checkPlatform(crypto, claim, record.evidence, expected, list);
  checkPins(claim, expected, list);
  checkAge(claim, expected, list);
  await checkLaunch(crypto, claim, bundle, expected, list);
  if (bundle === null) list.notPerformed("audit chain", "no audit bundle was given (--audit-bundle)");
  else await checkBundle(crypto, claim, bundle, expected.policyHash, list);
  await checkReceipts(crypto, claim, bundle, receipts, list);
  return verdict(list, claim, bundle, signed, assurance);
}

async function checkReceipts(crypto: VerifierCrypto, claim: Claim, bundle: AuditBundle | null, receipts: readonly (Receipt | null)[], list: Checklist): Promise<void> {
  if (receipts.length === 0) list.notPerformed("receipts", "no receipt was given (--receipt): what was withheld from the record cannot be found");
  const context = { jwk: claim.trace.cnf.jwk, session: claim.gateway.session_id, entries: bundle?.entries ?? null };
  for (const receipt of receipts) if (receipt !== null) await checkReceipt(crypto, receipt, context, list);
}

function verdict(list: Checklist, claim: Claim | null, bundle: AuditBundle | null, signed: boolean, assurance: PlatformAssurance): Verdict {
  const completeness: Completeness = bundle === null || claim === null ? "unknown" : bundle.entries.at(-1)?.entry_type === "session_end" ? "closed session" : "open prefix";
  const outcome = list.outcome();
  return {
    outcome,
    completeness,
    assurance: outcome === "accepted" && assurance !== "none" ? assurance : "none established",
    session: signed ? (claim?.gateway.session_id ?? null) : null,
    signingKey: signed ? (claim?.trace.cnf.jwk.x ?? null) : null,
    checks: list.checks,
  };
}
