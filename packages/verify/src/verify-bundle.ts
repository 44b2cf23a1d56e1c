import type { AuditBundle } from "@cmcp/audit/schema";
import { bundleHashInput } from "@cmcp/audit/schema";
import { checkResets } from "./bundle/resets.ts";
import { deriveChain } from "./bundle/chain.ts";
import { Checklist } from "./checklist.ts";
import { canBeEd25519, sha256, verifyEd25519, type VerifierCrypto } from "./crypto.ts";
import type { Expectations } from "./expectations.ts";
import { parseBundle, parseReceipt } from "./parse.ts";
import { checkPlace, checkReceipt } from "./receipt/receipt.ts";
import type { Verdict } from "./verdict.ts";

/** The files of such a verification, as received. */
export interface BundleRecord {
  readonly bundle: Uint8Array;
  /** Receipts that somebody kept; each must stand in the chain. */
  readonly receipts?: readonly Uint8Array[];
}

/**
 * Verifies an audit bundle by itself: that it is one unbroken chain, and that receipts stand in it. Without
 * a claim nothing says under which policy and on which platform it was made, and without a pinned key
 * anybody could have made it. Never throws for what the record holds.
 */
export async function verifyBundle(
  record: BundleRecord,
  expected: Pick<Expectations, "trustedKey" | "allowSoftwareOnly">,
  crypto: VerifierCrypto,
): Promise<Verdict> {
  const list = new Checklist();
  const bundle = list.attempt("bundle form", "BUNDLE_MALFORMED", "strict JSON of the documented form", () =>
    parseBundle(record.bundle),
  );
  const signed = bundle !== null && (await checkBundleAlone(crypto, bundle, expected, list));
  if (bundle !== null) await checkReceipts(crypto, bundle, record.receipts ?? [], expected, list);
  list.notPerformed(
    "claim",
    "none is looked at: policy, catalog, platform and attestation are not shown (cmcp verify CLAIM --audit-bundle)",
  );
  list.require(
    "software-only accepted",
    expected.allowSoftwareOnly,
    "SOFTWARE_ONLY_NOT_ACCEPTED",
    "explicitly accepted for this verification",
    "a record without hardware evidence is not accepted unless asked for",
  );
  const outcome = list.outcome();
  return {
    outcome,
    completeness:
      bundle === null
        ? "unknown"
        : bundle.entries.at(-1)?.entry_type === "session_end"
          ? "closed session"
          : "open prefix",
    assurance: outcome === "accepted" && signed ? "functional only" : "none established",
    origin: outcome === "accepted" && signed ? "trusted key" : "not proven",
    session: signed ? (bundle?.session_id ?? null) : null,
    signingKey: signed ? (expected.trustedKey ?? null) : null,
    checks: list.checks,
  };
}

/** The result says whether the pinned key signed the bundle. */
async function checkBundleAlone(
  crypto: VerifierCrypto,
  bundle: AuditBundle,
  { trustedKey }: Pick<Expectations, "trustedKey">,
  list: Checklist,
): Promise<boolean> {
  const chain = await deriveChain(crypto, bundle.session_id, bundle.entries);
  list.require(
    "audit chain",
    chain.ok,
    "CHAIN_BROKEN",
    `${bundle.entries.length} entries, every hash derived again`,
    chain.ok ? "" : chain.why,
  );
  await checkResets(crypto, bundle.entries, list);
  if (trustedKey === undefined) {
    if (!canBeEd25519(bundle.bundle_signature))
      list.fail("bundle signature", "SIGNATURE_INVALID", "no key signs like this");
    else
      list.notPerformed("bundle signature", "no key was pinned (--trusted-key): anybody could have made this bundle");
    return false;
  }
  const digest = await sha256(crypto, bundleHashInput(bundle.entries));
  return list.require(
    "bundle signature",
    await verifyEd25519(crypto, trustedKey, bundle.bundle_signature, digest),
    "SIGNATURE_INVALID",
    "signed by the pinned key",
    "the bundle was not signed by the pinned key",
  );
}

async function checkReceipts(
  crypto: VerifierCrypto,
  bundle: AuditBundle,
  held: readonly Uint8Array[],
  { trustedKey }: Pick<Expectations, "trustedKey">,
  list: Checklist,
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
    const context = { session: bundle.session_id, entries: bundle.entries };
    if (trustedKey !== undefined)
      await checkReceipt(crypto, receipt, { ...context, jwk: { kty: "OKP", crv: "Ed25519", x: trustedKey } }, list);
    else {
      const name = `receipt ${receipt.sequence_number} signature`;
      if (!canBeEd25519(receipt.signature.value)) list.fail(name, "RECEIPT_INVALID", "no key signs like this");
      else list.notPerformed(name, "no key was pinned (--trusted-key)");
      checkPlace(receipt, context, list);
    }
  }
}
