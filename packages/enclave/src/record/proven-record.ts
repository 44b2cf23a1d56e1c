import { readRecord, type JournalRecord } from "@cmcp/audit";
import { bytesEqual, CmcpError, examine, toBase64Url } from "@cmcp/boundary";
import { leafHash, rootFromPath, sha256 } from "@cmcp/log";
import type { ShownRecord } from "@cmcp/wire";
import type { Journal } from "./journal.ts";

/** A record of the log, and where it stands in the newest stored head. */
export interface ProvenRecord {
  readonly record: JournalRecord;
  readonly index: number;
  /** Base64url. */
  readonly path: readonly string[];
  readonly note: string;
}

/** What proving needs. */
export interface ProvingJournal {
  readonly journal: Pick<Journal, "scan" | "readPath" | "signedHead">;
  /** From this record on, leaves of the log are those of instances that were believed. */
  readonly believedFrom: () => number;
}

/**
 * A record that the host shows, if it is in the log at this index. It has the body that its leaf commits to, and its
 * path leads to the root that this instance knows. `null` for a record from before the log was believed.
 * @throws CmcpError `AUDIT_STORE_MISMATCH` if the host shows anything else
 */
export async function prove(
  { journal, believedFrom }: ProvingJournal,
  shown: ShownRecord,
): Promise<ProvenRecord | null> {
  const { index, leaf, body } = shown;
  if (index < believedFrom()) return null;
  const record = readRecord(leaf, body);
  const { size, root, note } = journal.signedHead();
  if (record === null || index >= size) throw mismatch();
  const path = await journal.readPath(index, size);
  const led = await rootFromPath(leafHash(examine(leaf)), { index, size, path }, sha256);
  if (led === undefined || !bytesEqual(led, root)) throw mismatch();
  return { record, index, path: path.map(toBase64Url), note };
}

function mismatch(): CmcpError {
  return new CmcpError(
    "AUDIT_STORE_MISMATCH",
    "the host's audit store shows a record that is not in the log at its place",
  );
}
