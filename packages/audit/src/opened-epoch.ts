import { CmcpError, schemaProblem } from "@cmcp/boundary";
import { epochProblem, signedLostStoreSchema, type SignedLostStore } from "./lost-store.ts";
import { verifiesStatement } from "./verify-statement.ts";

/** What a configuration says of its log's epoch. */
export interface MeasuredEpoch {
  readonly origin: string;
  /** `log.lost_store` as written. */
  readonly lostStore: unknown;
  /** Ed25519 public keys, base64url of 32 bytes. */
  readonly operatorKeys: readonly string[];
}

/**
 * The statement that opened the epoch of a configuration's log; `null` for the first epoch.
 *
 * @throws CmcpError `CONFIG_INVALID` for an epoch that its statement does not open, or a statement of another form;
 *   `OPERATOR_STATEMENT_INVALID` for one that no key of `enclave.operator_keys` signed
 */
export function openedEpoch({ origin, lostStore, operatorKeys }: MeasuredEpoch): SignedLostStore | null {
  const signed = lostStore === undefined ? null : readStatement(lostStore);
  const problem = epochProblem(origin, signed?.statement ?? null);
  if (problem !== null) throw new CmcpError("CONFIG_INVALID", `log.lost_store: ${problem}; cmcp log lost signs one`);
  if (signed === null) return null;
  const { key, statement, signature } = signed;
  if (!operatorKeys.includes(key) || !verifiesStatement(key, statement, signature))
    throw new CmcpError(
      "OPERATOR_STATEMENT_INVALID",
      "log.lost_store: the statement is not signed by a key of enclave.operator_keys",
    );
  return signed;
}

function readStatement(written: unknown): SignedLostStore {
  const parsed = signedLostStoreSchema.safeParse(written);
  if (parsed.success) return parsed.data;
  throw new CmcpError("CONFIG_INVALID", `log.lost_store: ${schemaProblem(parsed.error).text}`);
}
