import type { EvidenceFile } from "@cmcp/appraise";
import type { AnyReceipt } from "@cmcp/audit/schema";
import type { Claim } from "@cmcp/claim/schema";
import { approvedCalls } from "./approved-calls.ts";
import { checkBundle } from "./bundle/bundle.ts";
import { readBundle, type BundleBytes } from "./bundle/read-bundle.ts";
import { Checklist } from "./checklist.ts";
import { checkAgent } from "./claim/agent-manifest.ts";
import { checkBinding } from "./claim/binding.ts";
import type { ClaimContext } from "./claim/context.ts";
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
import { endsIn, numbersIn, parseClaim, parseReceipt } from "./parse.ts";
import { checkHeldClaim } from "./held/held-claim.ts";
import { checkClaimPlace, type PlacedClaim } from "./log/claim-place.ts";
import { checkLog } from "./log/claim-in-log.ts";
import type { LogFiles } from "./log/shown-log.ts";
import { checkReceipt } from "./receipt/receipt.ts";
import { checkClaimTerms } from "./session/claim-terms.ts";
import { conditionsOfClaim, NO_CONDITIONS } from "./session/conditions.ts";
import { completenessOf, type CoveredSession } from "./session/covered.ts";
import { reportRestored } from "./session/check-stored-sets.ts";
import type { Origin, Verdict } from "./verdict.ts";

/** The files of a verification, as received. */
export interface ClaimRecord extends EvidenceRecord {
  readonly claim: Uint8Array;
  /** The session's audit bundle: all of its bytes, or its bytes as they come. What is held of it does not grow with its length. */
  readonly bundle?: BundleBytes;
  readonly receipts?: readonly Uint8Array[];
  /** Earlier or later claims that a relying party holds; each must be of one history with this one. */
  readonly heldClaims?: readonly Uint8Array[];
  /** The agent manifest that the claim was made under. */
  readonly manifest?: Uint8Array;
  /** The log that claim and receipts must be in. */
  readonly log?: LogFiles;
}

/**
 * Verifies a claim offline. Never throws for what the record holds: every finding is a check of the verdict. What the source of a
 * bundle's bytes throws is thrown on, and what reading the log's files throws that is no finding.
 */
export async function verifyClaim(
  record: ClaimRecord,
  expected: Expectations,
  crypto: VerifierCrypto,
): Promise<Verdict> {
  const list = new Checklist();
  const claim = list.attempt("claim form", "CLAIM_MALFORMED", FORM, () => parseClaim(record.claim));
  const { bundle: bundleBytes } = record;
  const numbers = new Set([...numbersIn(record.receipts ?? []), ...endsIn(record.heldClaims ?? [])]);
  const bundle =
    bundleBytes === undefined
      ? null
      : await list.attemptReading("bundle form", "BUNDLE_MALFORMED", FORM, async () =>
          readBundle(crypto, bundleBytes, { numbers, calls: true }),
        );
  const receipts = (record.receipts ?? []).map((bytes) =>
    list.attempt("receipt form", "RECEIPT_MALFORMED", FORM, () => parseReceipt(bytes)),
  );
  if (claim === null) return verdict(list, null);
  const context: ClaimContext = { crypto, claim, expected, list };
  const signed = await checkSignature(crypto, claim, expected, list);
  await checkBinding(crypto, claim, list);
  const { assurance, launched, shown, file } = await checkPlatform(context, record);
  checkPins(claim, expected, list);
  checkAge(claim, expected, list);
  if (bundle === null) list.notPerformed("audit chain", "no audit bundle was given (--audit-bundle)");
  const found = bundle === null ? null : await checkBundle(context, bundle);
  // Only the claim's signature covers the entries. If it does not verify, anybody could have written them.
  const entries = signed ? found : null;
  checkClaimTerms(context, entries);
  await checkLaunchDigest({ ...context, expected: launched }, entries, shown);
  checkLaunch(claim, entries, launched, list);
  const agent = await checkAgent(context, entries, record.manifest);
  await checkReceipts(context, entries, receipts);
  await checkHeldClaims(context, entries, record.heldClaims ?? []);
  const placed = await checkClaimPlace(context, file?.log ?? null);
  const log = await checkInLog(context, record.log, { receipts, placed, entries });
  const standing = signed && agent !== null ? { agent } : {};
  const judged = verdict(list, { claim, entries, signed, assurance, expected });
  const approved = judged.outcome === "accepted" && bundle !== null ? approvedCalls(bundle) : {};
  return { ...judged, ...standing, ...approved, ...log };
}

const FORM = "strict JSON of the documented form";

interface Platform {
  /** What its evidence is worth. */
  readonly assurance: PlatformAssurance;
  /** What is expected, with the launch document that the evidence file has under a pinned digest. */
  readonly launched: Expectations;
  /** Whether the launch that is expected is held to the evidence. */
  readonly shown: boolean;
  /** The evidence file, if one of the claim's platform was given. */
  readonly file: EvidenceFile | null;
}

async function checkPlatform(context: ClaimContext, record: ClaimRecord): Promise<Platform> {
  const { crypto, claim, expected, list } = context;
  await checkDigestOfDocument(crypto, expected, list);
  if (claim.trace.runtime.platform === "software-only") {
    checkSoftware(claim, expected, list);
    refuseHardwareExpectations(record, expected, list);
    const { shown, file, ...launch } = await checkSoftwareFile(context, record);
    return { assurance: "functional only", launched: { ...expected, ...launch }, shown, file };
  }
  const evidence = readEvidence(claim, record, list);
  if (evidence === null) return { assurance: "none", launched: expected, shown: true, file: null };
  const launched = await withLaunchOf(crypto, evidence.file, expected, list);
  const assurance = await checkHardware({ ...context, expected: launched }, evidence);
  return { assurance, launched, shown: true, file: evidence.file };
}

async function checkReceipts(
  { crypto, claim, list }: ClaimContext,
  entries: CoveredSession | null,
  receipts: readonly (AnyReceipt | null)[],
): Promise<void> {
  if (receipts.length === 0)
    list.notPerformed(
      "receipts",
      "no receipt was given (--receipt): what was withheld from the record cannot be found",
    );
  const context = { jwk: claim.trace.cnf.jwk, session: claim.gateway.session_id, entries };
  for (const receipt of receipts) if (receipt !== null) await checkReceipt(crypto, receipt, context, list);
}

async function checkHeldClaims(
  context: ClaimContext,
  entries: CoveredSession | null,
  heldClaims: readonly Uint8Array[],
): Promise<void> {
  const { list } = context;
  if (heldClaims.length === 0)
    list.notPerformed(
      "held claims",
      "no other claim was given (--held-claim): whether there is a second history is not looked at",
    );
  for (const bytes of heldClaims) {
    const held = list.attempt("held claim form", "CLAIM_MALFORMED", FORM, () => parseClaim(bytes));
    if (held !== null) await checkHeldClaim(context, held, entries);
  }
}

interface InLog {
  readonly receipts: readonly (AnyReceipt | null)[];
  readonly placed: PlacedClaim | null;
  readonly entries: CoveredSession | null;
}

async function checkInLog(
  context: ClaimContext,
  files: LogFiles | undefined,
  { receipts: held, placed, entries }: InLog,
): Promise<Pick<Verdict, "log">> {
  const { list } = context;
  if (files !== undefined) {
    const receipts = held.filter((receipt) => receipt !== null);
    const restored = entries?.storedSets.restored ?? [];
    return { log: await checkLog(context, files, { receipts, placed, restored }) };
  }
  list.notPerformed("log", "no log was given (--log): whether claim and receipts are in it is not looked at");
  if (entries !== null) reportRestored(entries.storedSets, list, " (--log)");
  return {};
}

/** What proves who made an accepted claim. The key in the claim alone proves nothing: anybody can make one. */
function originOf(assurance: PlatformAssurance, { trustedKey }: Pick<Expectations, "trustedKey">): Origin {
  if (trustedKey !== undefined) return "trusted key";
  return assurance === "none" || assurance === "functional only" || assurance === "authentic"
    ? "not proven"
    : "platform evidence";
}

interface Findings {
  readonly claim: Claim;
  readonly entries: CoveredSession | null;
  /** The claim's signature holds. */
  readonly signed: boolean;
  readonly assurance: PlatformAssurance;
  readonly expected: Expectations;
}

/** @param found `null` for what is no claim */
function verdict(list: Checklist, found: Findings | null): Verdict {
  const outcome = list.outcome();
  const accepted = outcome === "accepted" ? found : null;
  const signed = found?.signed === true ? found.claim : null;
  return {
    outcome,
    completeness: completenessOf(found?.entries ?? null),
    coveredEntries: found?.entries?.length ?? null,
    conditions: accepted === null ? NO_CONDITIONS : conditionsOfClaim(accepted.claim, accepted.entries),
    assurance: accepted === null || accepted.assurance === "none" ? "none established" : accepted.assurance,
    origin: accepted === null ? "not proven" : originOf(accepted.assurance, accepted.expected),
    session: signed?.gateway.session_id ?? null,
    signingKey: signed?.trace.cnf.jwk.x ?? null,
    checks: list.checks,
  };
}
