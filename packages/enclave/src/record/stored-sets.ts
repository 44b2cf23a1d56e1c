import { createHash } from "node:crypto";
import type { ProvisionFacts } from "@cmcp/audit";
import { canonicalBytes, CmcpError } from "@cmcp/boundary";
import { openStoredSet, type Provision, type StorageKey } from "@cmcp/provision";
import type { Journal } from "./journal.ts";
import { prove, type ProvingJournal } from "./proven-record.ts";

/** What opening stored sets needs. */
export interface StoredSetPorts extends ProvingJournal {
  readonly journal: ProvingJournal["journal"] & Pick<Journal, "assertCaughtUp">;
  /** Name of the log. */
  readonly origin: string;
  /** Where the log's last provisioning is, if it has a stored set. */
  readonly storedSet: () => number | null;
}

/** A set that the log had. */
export interface RestoredSet {
  readonly set: Provision;
  /** SHA-256 of the body of the provisioning that gave it. */
  readonly from: string;
}

/** SHA-256 of the body of a provisioning's record, as entries and receipts name it. */
export function provisionHash(facts: ProvisionFacts): string {
  return `sha256:${createHash("sha256").update(canonicalBytes(facts)).digest("hex")}`;
}

/**
 * Opens the set of the log's last provisioning. No other counts: an older one may name tokens that are no longer valid.
 *
 * @throws CmcpError `STORED_SET_MISSING` where that provisioning has none, or the log before this instance is not to be relied on;
 *   `STORED_SET_OTHER` for another set than the message names; `STORED_SET_NOT_OPENED`; `AUDIT_STORE_MISMATCH` where the host shows another record; `AUDIT_STORE_UNAVAILABLE`
 */
export async function openNewestSet(
  ports: StoredSetPorts,
  { storage_key: key, provision_hash: expected }: StorageKey,
): Promise<RestoredSet> {
  const { journal, origin, storedSet } = ports;
  const index = storedSet();
  if (index === null) throw missing();
  journal.assertCaughtUp();
  for await (const shown of journal.scan({ from: index, to: index + 1 })) {
    const proven = shown.index === index ? await prove(ports, shown) : null;
    if (proven?.record.kind !== "provision") break;
    const { body } = proven.record;
    if (body.stored === undefined) break;
    const hash = provisionHash(body);
    if (expected !== hash && expected !== body.restored_from)
      throw new CmcpError("STORED_SET_OTHER", `the last provisioning of the log is ${hash}, and not ${expected}`);
    const set = openStoredSet(key, { origin, version: body.sequence }, body.stored);
    return { set, from: body.restored_from ?? hash };
  }
  throw new CmcpError("AUDIT_STORE_MISMATCH", "the host's audit store does not show the record of the stored set");
}

function missing(): CmcpError {
  return new CmcpError(
    "STORED_SET_MISSING",
    "the last provisioning of the log that can be relied on has no stored set",
  );
}
