import { sha256Hex, type VerifierCrypto, type EvidenceFile } from "@cmcp/appraise";
import { toHex } from "@cmcp/boundary";
import type { Checklist } from "../checklist.ts";
import type { Expectations } from "../expectations.ts";
import { isDigestOf } from "./launch-digest.ts";

const CHECK = "launch document in evidence";

/**
 * What is expected once the evidence file's launch document is taken into account. The operator put it there: a document
 * that only agrees with the hardware shows which configuration ran, not that it is an acceptable one. It stands for the
 * expected one where the relying party pinned its digest, and for nothing otherwise.
 */
export async function withLaunchOf(
  crypto: VerifierCrypto,
  { launchDocument: document }: EvidenceFile,
  expected: Expectations,
  list: Checklist,
): Promise<Expectations> {
  const { launch, launchDigest, readLaunch } = expected;
  if (document === null) return expected;
  const refused = "the evidence file holds another launch document than the expected one";
  if (launch !== undefined) {
    list.require(CHECK, toHex(launch.document) === toHex(document), "EVIDENCE_LAUNCH_NOT_BOUND", {
      passed: "the expected one",
      failed: refused,
    });
    return expected;
  }
  if (launchDigest === undefined) {
    const digest = await sha256Hex(crypto, document);
    list.notPerformed(
      CHECK,
      `it is the operator's word that this is the right one: judge it, and pin its digest (--launch-digest ${digest})`,
    );
    return expected;
  }
  if (
    !list.require(CHECK, await isDigestOf(crypto, launchDigest, document), "EVIDENCE_LAUNCH_NOT_BOUND", {
      passed: "its digest is the pinned one",
      failed: refused,
    })
  )
    return expected;
  return readLaunch === undefined ? expected : { ...expected, launch: { document, read: readLaunch } };
}
