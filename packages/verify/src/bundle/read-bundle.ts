import { startSha256, type VerifierCrypto } from "@cmcp/appraise";
import { auditBundleSchema, auditEntrySchema, type AuditEntry } from "@cmcp/audit/schema";
import { canonicalBytes, CmcpError, type JsonLimits } from "@cmcp/boundary";
import { readForm, type Form } from "../parse.ts";
import { SessionFactsFold, type SessionFacts, type WantedFacts } from "../session/session-facts.ts";
import { ChainFold, type ChainFinding } from "./chain.ts";
import { EntrySplitter } from "./split-entries.ts";
import { OperatorStatementFold } from "./kill-switch.ts";
import { ApprovalFold } from "./approvals.ts";
import { DisclosureFold } from "./disclosures.ts";
import { ResetFold } from "./resets.ts";

const LIMITS: JsonLimits = { maxBytes: 1024 * 1024, maxDepth: 7, maxItems: 100_000 };

/** An audit bundle: all of its bytes, or its bytes as they come. */
export type BundleBytes = Uint8Array | AsyncIterable<Uint8Array>;

/** What one reading of a bundle leaves. It does not grow with the number of entries. */
export interface ReadBundle {
  readonly sessionId: string;
  readonly signature: string;
  readonly session: SessionFacts;
  readonly chain: ChainFinding;
  /** SHA-256 of the canonical array of the entries, which the signature is made over. */
  readonly digest: Uint8Array<ArrayBuffer>;
  readonly resets: ResetFold;
  readonly statements: OperatorStatementFold;
  readonly approvals: ApprovalFold;
  readonly disclosures: DisclosureFold;
}

const BESIDE_ENTRIES = auditBundleSchema.omit({ entries: true });
const ENVELOPE: Form<{ readonly session_id: string; readonly bundle_signature: string }> = {
  limits: LIMITS,
  // What is left of the entries is an empty array. Anything else there is no member that a bundle has.
  shape: { safeParse: (value) => BESIDE_ENTRIES.safeParse(isSplit(value) ? without(value) : value) },
  code: "BUNDLE_MALFORMED",
  what: "audit bundle",
};
const ENTRY: Form<AuditEntry> = {
  limits: LIMITS,
  shape: auditEntrySchema,
  code: "BUNDLE_MALFORMED",
  what: "entry of the audit bundle",
};

/**
 * Reads an audit bundle in pieces, once.
 * @throws CmcpError `BUNDLE_MALFORMED`
 */
export async function readBundle(crypto: VerifierCrypto, bytes: BundleBytes, wanted: WantedFacts): Promise<ReadBundle> {
  const splitter = new EntrySplitter();
  const facts = new SessionFactsFold(wanted);
  const chain = new ChainFold(crypto);
  const [resets, statements] = [new ResetFold(crypto), new OperatorStatementFold(crypto)];
  const [approvals, disclosures] = [new ApprovalFold(crypto), new DisclosureFold(crypto)];
  const digest = startSha256(crypto);
  const text = new TextEncoder();
  let count = 0;
  for await (const piece of piecesOf(bytes))
    for (const written of splitter.push(piece)) {
      const entry = readForm(written, ENTRY);
      digest.update(text.encode(count === 0 ? "[" : ","));
      digest.update(canonicalBytes(entry));
      facts.add(entry);
      await chain.add(entry);
      await resets.add(entry);
      await statements.add(entry);
      await approvals.add(entry);
      await disclosures.add(entry);
      count += 1;
    }
  const { session_id: sessionId, bundle_signature: signature } = readForm(splitter.envelope(), ENVELOPE);
  if (count === 0) throw new CmcpError("BUNDLE_MALFORMED", "the audit bundle is not valid: it has no entries");
  digest.update(text.encode("]"));
  const session = facts.finish();
  return {
    sessionId,
    signature,
    session,
    chain: chain.finish(sessionId),
    digest: await digest.digest(),
    resets,
    statements,
    approvals,
    disclosures,
  };
}

function isSplit(value: unknown): value is { readonly entries: readonly [] } {
  if (typeof value !== "object" || value === null || !("entries" in value)) return false;
  return Array.isArray(value.entries) && value.entries.length === 0;
}

function without(split: { readonly entries: readonly [] }): object {
  const { entries: _, ...rest } = split;
  return rest;
}

async function* piecesOf(bytes: BundleBytes): AsyncGenerator<Uint8Array, void, void> {
  if (bytes instanceof Uint8Array) yield bytes;
  else yield* bytes;
}
