import { sha256Hex, type EvidenceFile } from "@cmcp/appraise";
import { auditEntrySchema, entryHashInput, rootDetailSchema } from "@cmcp/audit/schema";
import type { ClaimContext } from "./context.ts";
import { digestInRoot } from "./launch-digest.ts";

/**
 * The root entry beside the evidence: it is the chain's root, and names the launch document, policy and catalog.
 * @returns whether the launch that is expected was compared with what it names
 */
export async function checkRootEntry(
  { crypto, claim, expected, list }: ClaimContext,
  { rootEntry }: EvidenceFile,
): Promise<boolean> {
  if (rootEntry === null) {
    list.notPerformed("root entry in evidence", "the evidence file has no root entry");
    return false;
  }
  const entry = auditEntrySchema.safeParse(rootEntry);
  const isRoot =
    entry.success &&
    entry.data.entry_hash === claim.gateway.audit_chain.root &&
    (await sha256Hex(crypto, entryHashInput(entry.data))) === entry.data.entry_hash;
  if (
    !list.require("root entry in evidence", isRoot, "CHAIN_ROOT_NOT_BOUND", {
      passed: "it hashes to the chain's root",
      failed: "it is not the entry the chain begins with",
    })
  )
    return false;
  const detail = rootDetailSchema.safeParse(entry.data?.detail);
  const known = await digestInRoot(crypto, expected);
  if (known === null) {
    list.notPerformed("launch digest in root entry", "the launch document was not given");
    return false;
  }
  list.require(
    "launch digest in root entry",
    detail.success && detail.data.launch_digest === `sha256:${known}`,
    "EVIDENCE_LAUNCH_NOT_BOUND",
    {
      passed: "the session ran under the expected launch document",
      failed: "the session ran under another launch document",
    },
  );
  return true;
}
