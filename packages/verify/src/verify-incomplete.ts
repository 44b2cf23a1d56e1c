import type { AuditEntry, IncompleteSession, Receipt } from "@cmcp/audit/schema";
import { deriveChain } from "./bundle/chain.ts";
import { Checklist } from "./checklist.ts";
import type { VerifierCrypto } from "./crypto.ts";
import type { Expectations } from "./expectations.ts";
import { parseIncomplete, parseReceipt } from "./parse.ts";
import { checkReceipt } from "./receipt/receipt.ts";
import type { Verdict } from "./verdict.ts";

/** The files of such a verification, as received. */
export interface IncompleteRecord {
  readonly export: Uint8Array;
  /** Receipts that somebody kept; each must stand in what is left. */
  readonly receipts?: readonly Uint8Array[];
}

/**
 * Verifies what is left of a session that a crash interrupted: entries and receipts under the dead
 * instance's key. There is no claim, so nothing but a pinned key says whose instance it was, and nothing but a
 * receipt somebody kept shows that the end was cut off. Never throws for what the record holds.
 */
export async function verifyIncomplete(
  record: IncompleteRecord,
  expected: Pick<Expectations, "trustedKey" | "allowSoftwareOnly">,
  crypto: VerifierCrypto,
): Promise<Verdict> {
  const list = new Checklist();
  const session = list.attempt("export form", "BUNDLE_MALFORMED", "strict JSON of the documented form", () =>
    parseIncomplete(record.export),
  );
  const signed = session !== null && (await checkSession(crypto, session, expected, list)) ? session : null;
  if (session !== null) await checkHeld(crypto, session, record.receipts ?? [], list);
  const outcome = list.outcome();
  return {
    outcome,
    completeness: session === null ? "unknown" : "incomplete",
    assurance: outcome === "accepted" ? "functional only" : "none established",
    origin: outcome === "accepted" && expected.trustedKey !== undefined ? "trusted key" : "not proven",
    session: signed?.session_id ?? null,
    signingKey: signed?.signing_key.x ?? null,
    checks: list.checks,
  };
}

/** The result says whether at least one receipt, and every receipt, is signed by the key the export names. */
async function checkSession(
  crypto: VerifierCrypto,
  session: IncompleteSession,
  expected: Pick<Expectations, "trustedKey" | "allowSoftwareOnly">,
  list: Checklist,
): Promise<boolean> {
  const { entries, receipts, signing_key: jwk, session_id: id } = session;
  const chain = await deriveChain(crypto, id, entries);
  list.require(
    "audit chain",
    chain.ok,
    "CHAIN_BROKEN",
    `${entries.length} entries, every hash derived again`,
    chain.ok ? "" : chain.why,
  );
  let signed = receipts.length > 0;
  for (const receipt of receipts)
    signed = (await checkReceipt(crypto, receipt, { jwk, session: id, entries }, list)) && signed;
  checkCoverage(entries, receipts, list);
  if (expected.trustedKey === undefined)
    list.notPerformed("trusted key", "no key was pinned (--trusted-key): whose instance this was is not shown");
  else
    list.require(
      "trusted key",
      jwk.x === expected.trustedKey,
      "SIGNATURE_INVALID",
      "the instance's key is the pinned one",
      "another instance's key than the pinned one",
    );
  list.notApplicable("claim", "an interrupted session has none");
  list.require(
    "software-only accepted",
    expected.allowSoftwareOnly,
    "SOFTWARE_ONLY_NOT_ACCEPTED",
    "explicitly accepted for this verification",
    "a record without hardware evidence is not accepted unless asked for",
  );
  return signed;
}

/** Receipts that somebody kept, beside those in the export. */
async function checkHeld(
  crypto: VerifierCrypto,
  session: IncompleteSession,
  held: readonly Uint8Array[],
  list: Checklist,
): Promise<void> {
  if (held.length === 0)
    list.notPerformed("receipts", "no receipt was given (--receipt): an end that was cut off cannot be found");
  for (const bytes of held) {
    const receipt = list.attempt("receipt form", "RECEIPT_MALFORMED", "strict JSON of the documented form", () =>
      parseReceipt(bytes),
    );
    if (receipt !== null)
      await checkReceipt(
        crypto,
        receipt,
        { jwk: session.signing_key, session: session.session_id, entries: session.entries },
        list,
      );
  }
}

/** Receipts are the only signatures here: each covers its entry and, through the links, all before it. */
function checkCoverage(entries: readonly AuditEntry[], receipts: readonly Receipt[], list: Checklist): void {
  const covered = new Set(receipts.map((receipt) => receipt.sequence_number));
  const calls = entries.filter((entry) => entry.entry_type === "tool_call");
  const each = receipts.length === calls.length && calls.every((entry) => covered.has(entry.sequence_number));
  list.require(
    "a receipt for every call",
    each,
    "RECEIPT_INVALID",
    `${calls.length} calls, each with its receipt`,
    "a call has no receipt, or a receipt no call",
  );
  list.require(
    "something is signed",
    receipts.length > 0,
    "RECEIPT_INVALID",
    "the receipts sign the entries up to the last of them",
    "no receipt: anybody could have written these entries",
  );
  const unsigned = entries.length - 1 - Math.max(0, ...covered);
  if (unsigned > 0)
    list.notPerformed(
      "entries after the last receipt",
      `${unsigned} at the end, signed by nothing: they may be anybody's`,
    );
}
