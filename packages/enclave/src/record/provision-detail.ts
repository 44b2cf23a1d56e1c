import type { ProvisionFacts } from "@cmcp/audit";

/** The signed statement that a message came in, as the log has it. */
export type StatementFacts = NonNullable<ProvisionFacts["statement"]>;

/** A provisioning that is in force. */
export interface ProvisionInForce {
  /** Counts the provisionings of the log from 1. */
  readonly sequence: number;
  /** SHA-256 of the record's body. */
  readonly hash: string;
  /** `null` where the host brought it, unsigned. */
  readonly statement: StatementFacts | null;
  /** Whether it brought credentials, which whoever provisions knows. */
  readonly hasCredentials: boolean;
  /** Whether the log has the set under a storage key, which whoever provisions knows. */
  readonly isStored: boolean;
  /** Where a storage key alone brought the set back: `hash` of the provisioning that gave it; else `null`. */
  readonly restoredFrom: string | null;
}

/** What a stored set is shown as: its key came from outside. */
export const OPERATOR_READABLE = "operator-readable";

/** What entries say of a provisioning: which it is, who brought it, that whoever provisions knows credentials and storage key, and whose set came back. */
export function provisionDetail({
  sequence,
  hash,
  statement,
  hasCredentials,
  isStored,
  restoredFrom,
}: ProvisionInForce): Record<string, string | number> {
  return {
    provision_sequence: sequence,
    provision_hash: hash,
    ...(statement === null
      ? { provisioning: "unsigned" }
      : { provisioning: "signed", provision_statement: statement.hash }),
    ...(hasCredentials ? { credentials: "provisioned" } : {}),
    ...(isStored ? { storage: OPERATOR_READABLE } : {}),
    ...(restoredFrom === null ? {} : { restored_from: restoredFrom }),
  };
}
