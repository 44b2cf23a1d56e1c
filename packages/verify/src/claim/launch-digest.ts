import { sha256Hex, type VerifierCrypto } from "@cmcp/appraise";
import { rootDetailSchema } from "@cmcp/audit/schema";
import { toHex } from "@cmcp/boundary";
import type { Checklist } from "../checklist.ts";
import type { Expectations } from "../expectations.ts";
import type { CoveredSession } from "../session/covered.ts";
import type { ClaimContext } from "./context.ts";

type Pinned = Pick<Expectations, "launch" | "launchDigest">;

const UNBOUND = "EVIDENCE_LAUNCH_NOT_BOUND";

/** Whether a digest, hex, is the document's: SHA-256, or SHA-384 as TDX carries it. */
export async function isDigestOf(crypto: VerifierCrypto, digest: string, document: Uint8Array): Promise<boolean> {
  const digests = await Promise.all(
    ["SHA-256", "SHA-384"].map(async (name) =>
      toHex(new Uint8Array(await crypto.subtle.digest(name, Uint8Array.from(document)))),
    ),
  );
  return digests.includes(digest);
}

/** The digest, hex, that a root entry must name; `null` without one, and for a SHA-384 without its document: entries name a SHA-256. */
export async function digestInRoot(crypto: VerifierCrypto, { launch, launchDigest }: Pinned): Promise<string | null> {
  if (launch !== undefined) return await sha256Hex(crypto, launch.document);
  return launchDigest?.length === 64 ? launchDigest : null;
}

/** Where document and digest are both expected, they are of one launch. */
export async function checkDigestOfDocument(
  crypto: VerifierCrypto,
  { launch, launchDigest }: Pinned,
  list: Checklist,
): Promise<void> {
  if (launch === undefined || launchDigest === undefined) return;
  list.require("launch digest of document", await isDigestOf(crypto, launchDigest, launch.document), UNBOUND, {
    passed: "the pinned digest is the expected launch document's",
    failed: "the expected launch document has another digest than the pinned one",
  });
}

/**
 * The audit chain begins with the launch that is expected.
 * @param shown - whether evidence is held to it
 */
export async function checkLaunchDigest(
  { crypto, expected, list }: ClaimContext,
  entries: CoveredSession | null,
  shown: boolean,
): Promise<void> {
  const known = await digestInRoot(crypto, expected);
  if (entries !== null && known !== null) {
    const root = rootDetailSchema.safeParse(entries.root?.detail);
    list.require(
      "launch digest in audit chain",
      root.success && root.data.launch_digest === `sha256:${known}`,
      UNBOUND,
      {
        passed: "the session ran under the expected launch document",
        failed: "the session ran under another launch document",
      },
    );
    return;
  }
  if (shown || (expected.launch === undefined && expected.launchDigest === undefined)) return;
  // A claim does not name its launch. What was pinned and cannot be looked at is not met.
  list.fail(
    "required: launch digest",
    UNBOUND,
    known === null
      ? "the pinned digest is a SHA-384, and a record without hardware evidence names a SHA-256"
      : "nothing that was given says what the session was launched with (--audit-bundle)",
  );
}
