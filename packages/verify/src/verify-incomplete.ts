import type { AnyReceipt, AuditEntry, IncompleteSession, SigningJwk } from "@cmcp/audit/schema";
import { ChainFold } from "./bundle/chain.ts";
import { OperatorStatementFold } from "./bundle/kill-switch.ts";
import { ApprovalFold } from "./bundle/approvals.ts";
import { DisclosureFold } from "./bundle/disclosures.ts";
import { ResetFold } from "./bundle/resets.ts";
import { Checklist } from "./checklist.ts";
import type { VerifierCrypto } from "./crypto.ts";
import type { RecordExpectations } from "./expectations.ts";
import { parseIncomplete, parseReceipt } from "./parse.ts";
import { recordVerdict } from "./record-verdict.ts";
import { isHandedOver } from "./receipt/hand-over.ts";
import { checkReceipt } from "./receipt/receipt.ts";
import { conditionsOf } from "./session/conditions.ts";
import { coveredBy, type CoveredSession } from "./session/covered.ts";
import { factsOf } from "./session/session-facts.ts";
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
export interface IncompleteRecord {
  readonly export: Uint8Array;
  /** Receipts that a relying party holds; each must match an entry of the export. */
  readonly receipts?: readonly Uint8Array[];
}

interface ExportContext {
  readonly crypto: VerifierCrypto;
  readonly session: IncompleteSession;
  readonly expected: RecordExpectations;
  readonly list: Checklist;
}

/**
 * Verifies what is left of a session that a crash interrupted: entries, the hand-over of the instance that wrote them,
 * and receipts. The log of the instance that answers proves the other's key by that hand-over. There is no claim, so
 * nothing but a pinned key says whose log it is: it pins the instance that answers. Nothing but a receipt that somebody
 * kept shows that the end was cut off. The verdict is of the entries up to the last that a receipt commits to; anybody
 * could have written what follows, so it decides nothing. Never throws for what the record holds.
 */
export async function verifyIncomplete(
  record: IncompleteRecord,
  expected: RecordExpectations,
  crypto: VerifierCrypto,
): Promise<Verdict> {
  const list = new Checklist();
  const session = list.attempt("export form", "BUNDLE_MALFORMED", "strict JSON of the documented form", () =>
    parseIncomplete(record.export),
  );
  const covered =
    session === null ? null : await checkSession({ crypto, session, expected, list }, record.receipts ?? []);
  return recordVerdict(list, covered, expected, session?.signing_key.x);
}

/** @returns the entries that a receipt covers, if every receipt verifies and the entries are one chain */
async function checkSession(context: ExportContext, held: readonly Uint8Array[]): Promise<CoveredSession | null> {
  const { crypto, session, expected, list } = context;
  const { entries, session_id: id } = session;
  const fold = new ChainFold(crypto);
  for (const entry of entries) await fold.add(entry);
  const chain = fold.finish(id, "first");
  list.require("audit chain", chain.ok, "CHAIN_BROKEN", {
    passed: "every hash derived again",
    failed: chain.ok ? "" : chain.why,
  });
  const writer = await writerOf(context);
  const own = await covering(context, writer, session.receipts);
  checkCalls(session, list);
  checkPinned(context);
  list.notApplicable("claim", "an interrupted session has none");
  list.require("software-only accepted", expected.allowSoftwareOnly, "SOFTWARE_ONLY_NOT_ACCEPTED", {
    passed: "explicitly accepted for this verification",
    failed: "a record without hardware evidence is not accepted unless asked for",
  });
  const kept = await covering(context, writer, readHeld(held, list));
  const length = own !== null && chain.ok ? Math.max(own, kept ?? 0) : 0;
  const covered = coveredBy(factsOf(entries.slice(0, length)));
  await checkCovered(context, covered);
  return covered;
}

/** The key of the instance that wrote the session: of the hand-over, if it is proven, or else of the instance that answers. */
async function writerOf({ crypto, session, list }: ExportContext): Promise<SigningJwk> {
  const { signing_key: answering, hand_over: handOver } = session;
  if (handOver === undefined) return answering;
  const proven = list.require("hand-over", await isHandedOver(crypto, handOver, answering), "HAND_OVER_INVALID", {
    passed: "the log of the instance that answers has that of the session's instance",
    failed: "the log of the instance that answers does not have this hand-over at this place",
  });
  return proven ? handOver.body.jwk : answering;
}

/** The pinned key is that of the instance that answers: all other keys are proven by its log. */
function checkPinned({
  session: { signing_key: answering, hand_over: handOver },
  expected,
  list,
}: ExportContext): void {
  const { trustedKey } = expected;
  if (trustedKey === undefined) {
    list.notPerformed("trusted key", "no key was pinned (--trusted-key): whose instance this was is not shown");
    return;
  }
  list.require("trusted key", answering.x === trustedKey, "SIGNATURE_INVALID", {
    passed: "the instance's key is the pinned one",
    failed:
      handOver?.body.jwk.x === trustedKey
        ? "the pinned key is of the instance that wrote the session: pin the key of the one that answers for it"
        : "another instance's key than the pinned one",
  });
}

/** How many entries, from the first on, receipts cover; `null` where one of them is not of the instance that wrote the session. */
async function covering(
  { crypto, session, list }: ExportContext,
  writer: SigningJwk,
  receipts: readonly AnyReceipt[],
): Promise<number | null> {
  const { signing_key: answering, session_id, entries } = session;
  const at = (number: number): AuditEntry | undefined => entries[number];
  const context = { jwk: writer, answering, session: session_id, entries: { at } };
  let length: number | null = 0;
  // Nothing signs the order in which an export has its receipts.
  for (const receipt of receipts.toSorted((one, other) => one.sequence_number - other.sequence_number)) {
    const { signed, covers } = await checkReceipt(crypto, receipt, context, list);
    length = signed && length !== null ? Math.max(length, covers) : null;
  }
  return length;
}

/** Checks the receipts that a relying party holds, in addition to those in the export. */
function readHeld(held: readonly Uint8Array[], list: Checklist): AnyReceipt[] {
  if (held.length === 0)
    list.notPerformed("receipts", "no receipt was given (--receipt): an end that was cut off cannot be found");
  return held.flatMap(
    (bytes) =>
      list.attempt("receipt form", "RECEIPT_MALFORMED", "strict JSON of the documented form", () =>
        parseReceipt(bytes),
      ) ?? [],
  );
}

/** The last call has its receipt, which covers every entry before it, or each call has one: anything else was taken apart. */
function checkCalls({ entries, receipts }: IncompleteSession, list: Checklist): void {
  const calls = entries.filter((entry) => entry.entry_type === "tool_call").map((entry) => entry.sequence_number);
  const places = receipts.map((receipt) => receipt.sequence_number).sort((one, other) => one - other);
  const areOf = (called: readonly number[]): boolean =>
    places.length === called.length && called.every((place, at) => place === places[at]);
  list.require("a receipt for the last call", areOf(calls.slice(-1)) || areOf(calls), "RECEIPT_INVALID", {
    passed: `${calls.length} calls, up to the last receipt`,
    failed: "a call has no receipt, or a receipt no call",
  });
}

/** What the verdict is of. Receipts are the only signatures here. */
async function checkCovered(
  { crypto, session: { entries }, expected, list }: ExportContext,
  covered: CoveredSession | null,
): Promise<void> {
  if (covered === null) {
    // Where a receipt or the chain failed, that says why nothing is covered.
    if (list.clean)
      list.fail("something is signed", "RECEIPT_INVALID", "no receipt: anybody could have written these entries");
    return;
  }
  list.require("something is signed", true, "RECEIPT_INVALID", {
    passed: `${covered.length} entries, up to the last receipt`,
    failed: "",
  });
  const conditions = conditionsOf(covered);
  const [resets, statements] = [new ResetFold(crypto), new OperatorStatementFold(crypto)];
  const [approvals, disclosures] = [new ApprovalFold(crypto), new DisclosureFold(crypto)];
  for (const entry of entries.slice(0, covered.length)) {
    await resets.add(entry);
    await statements.add(entry);
    await approvals.add(entry);
    await disclosures.add(entry);
  }
  resets.report(list);
  statements.report(list);
  approvals.report(list);
  disclosures.report(list);
  checkMode(conditions, acceptedModes(expected), list);
  checkEnforced(conditions, list);
  checkHistory(conditions, expected, list);
  checkChannel(conditions, expected, list);
  checkProvisioning(conditions, expected, list);
  checkStorage(covered.storedSets, list);
  reportRestored(covered.storedSets, list);
  const unsigned = entries.length - covered.length;
  if (unsigned > 0)
    list.notPerformed(
      "entries after the last receipt",
      `${unsigned} at the end, signed by nothing: anybody could have written them, and the verdict is of the ${covered.length} before them`,
    );
}
