import type { AuditBundle, Receipt } from "@cmcp/audit/schema";
import type { Claim } from "@cmcp/claim/schema";
import { checkBundle } from "./bundle/bundle.ts";
import { Checklist } from "./checklist.ts";
import { checkBinding } from "./claim/binding.ts";
import { checkLaunch } from "./claim/launch.ts";
import { checkAge, checkPins } from "./claim/pins.ts";
import { readEvidence, type EvidenceRecord } from "./claim/evidence.ts";
import { withLaunchOf } from "./claim/launch-in-evidence.ts";
import { checkDigestOfDocument, checkLaunchDigest } from "./claim/launch-digest.ts";
import { checkHardware, type PlatformAssurance } from "./claim/platform.ts";
import { checkSignature } from "./claim/signature.ts";
import { checkSoftware, checkSoftwareFile, refuseHardwareExpectations } from "./claim/software.ts";
import type { VerifierCrypto } from "./crypto.ts";
import type { Expectations } from "./expectations.ts";
import { parseBundle, parseClaim, parseReceipt } from "./parse.ts";
import { checkHeldClaim } from "./held/held-claim.ts";
import { checkReceipt } from "./receipt/receipt.ts";
import type { Completeness, Origin, Verdict } from "./verdict.ts";

/** The files of a verification, as received. */
export interface ClaimRecord extends EvidenceRecord {
  readonly claim: Uint8Array;
  readonly bundle?: Uint8Array;
  readonly receipts?: readonly Uint8Array[];
  /** Other claims, made before or after, that somebody kept: each must be of one history with this one. */
  readonly heldClaims?: readonly Uint8Array[];
}

/**
 * Verifies a claim offline. Never throws for what the record holds: every finding is a check of the verdict.
 */
export async function verifyClaim(
  record: ClaimRecord,
  expected: Expectations,
  crypto: VerifierCrypto,
): Promise<Verdict> {
  const list = new Checklist();
  const claim = list.attempt("claim form", "CLAIM_MALFORMED", "strict JSON of the documented form", () =>
    parseClaim(record.claim),
  );
  const { bundle: given } = record;
  const bundle =
    given === undefined
      ? null
      : list.attempt("bundle form", "BUNDLE_MALFORMED", "strict JSON of the documented form", () => parseBundle(given));
  const receipts = (record.receipts ?? []).map((bytes) =>
    list.attempt("receipt form", "RECEIPT_MALFORMED", "strict JSON of the documented form", () => parseReceipt(bytes)),
  );
  if (claim === null) return verdict(list, null, null, false, "none", expected);
  const signed = await checkSignature(crypto, claim, expected, list);
  await checkBinding(crypto, claim, list);
  const { assurance, launched, shown } = await checkPlatform(crypto, claim, record, expected, list);
  checkPins(claim, expected, list);
  checkAge(claim, expected, list);
  await checkLaunchDigest(crypto, bundle, launched, shown, list);
  checkLaunch(claim, bundle, launched, list);
  if (bundle === null) list.notPerformed("audit chain", "no audit bundle was given (--audit-bundle)");
  else await checkBundle(crypto, claim, bundle, expected.policyHash, list);
  await checkReceipts(crypto, claim, bundle, receipts, list);
  await checkHeldClaims(crypto, claim, bundle, record.heldClaims ?? [], list);
  return verdict(list, claim, bundle, signed, assurance, expected);
}

interface Platform {
  /** What its evidence is worth. */
  readonly assurance: PlatformAssurance;
  /** What is expected, with the launch document that the evidence file has under a pinned digest. */
  readonly launched: Expectations;
  /** Whether the launch that is expected is held to the evidence. */
  readonly shown: boolean;
}

async function checkPlatform(
  crypto: VerifierCrypto,
  claim: Claim,
  record: ClaimRecord,
  expected: Expectations,
  list: Checklist,
): Promise<Platform> {
  await checkDigestOfDocument(crypto, expected, list);
  if (claim.trace.runtime.platform === "software-only") {
    checkSoftware(claim, expected, list);
    refuseHardwareExpectations(record, expected, list);
    const { shown, ...launch } = await checkSoftwareFile(crypto, claim, record, expected, list);
    return { assurance: "functional only", launched: { ...expected, ...launch }, shown };
  }
  const given = readEvidence(claim, record, list);
  if (given === null) return { assurance: "none", launched: expected, shown: true };
  const launched = await withLaunchOf(crypto, given.file, expected, list);
  return { assurance: await checkHardware(crypto, claim, given, launched, list), launched, shown: true };
}

async function checkReceipts(
  crypto: VerifierCrypto,
  claim: Claim,
  bundle: AuditBundle | null,
  receipts: readonly (Receipt | null)[],
  list: Checklist,
): Promise<void> {
  if (receipts.length === 0)
    list.notPerformed(
      "receipts",
      "no receipt was given (--receipt): what was withheld from the record cannot be found",
    );
  const context = { jwk: claim.trace.cnf.jwk, session: claim.gateway.session_id, entries: bundle?.entries ?? null };
  for (const receipt of receipts) if (receipt !== null) await checkReceipt(crypto, receipt, context, list);
}

async function checkHeldClaims(
  crypto: VerifierCrypto,
  claim: Claim,
  bundle: AuditBundle | null,
  given: readonly Uint8Array[],
  list: Checklist,
): Promise<void> {
  if (given.length === 0)
    list.notPerformed(
      "held claims",
      "no other claim was given (--held-claim): whether there is a second history is not looked at",
    );
  for (const bytes of given) {
    const held = list.attempt("held claim form", "CLAIM_MALFORMED", "strict JSON of the documented form", () =>
      parseClaim(bytes),
    );
    if (held !== null) await checkHeldClaim(crypto, claim, held, bundle?.entries ?? null, list);
  }
}

/** What shows who made an accepted claim; its own key is anybody's. */
function originOf(assurance: PlatformAssurance, { trustedKey }: Pick<Expectations, "trustedKey">): Origin {
  if (trustedKey !== undefined) return "trusted key";
  return assurance === "none" || assurance === "functional only" || assurance === "authentic"
    ? "not proven"
    : "platform evidence";
}

function verdict(
  list: Checklist,
  claim: Claim | null,
  bundle: AuditBundle | null,
  signed: boolean,
  assurance: PlatformAssurance,
  expected: Expectations,
): Verdict {
  const completeness: Completeness =
    bundle === null || claim === null
      ? "unknown"
      : bundle.entries.at(-1)?.entry_type === "session_end"
        ? "closed session"
        : "open prefix";
  const outcome = list.outcome();
  return {
    outcome,
    completeness,
    assurance: outcome === "accepted" && assurance !== "none" ? assurance : "none established",
    origin: outcome === "accepted" ? originOf(assurance, expected) : "not proven",
    session: signed ? (claim?.gateway.session_id ?? null) : null,
    signingKey: signed ? (claim?.trace.cnf.jwk.x ?? null) : null,
    checks: list.checks,
  };
}
