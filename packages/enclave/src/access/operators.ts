import { CmcpError } from "@cmcp/boundary";
import { operatorSigningInput, type OperatorStatement } from "@cmcp/audit";
import { MeasuredKeys } from "./measured-keys.ts";

/** The operators of the measured configuration, and the latest sequence number of each. */
export class Operators {
  readonly #keys: MeasuredKeys;
  readonly #lastSequence = new Map<string, number>();

  /** @param keys Ed25519 public keys, base64url of 32 bytes */
  constructor(keys: readonly string[]) {
    this.#keys = new MeasuredKeys(keys);
  }

  /** Whether a measured key signed the statement. */
  hasSigned({ key, signature, statement }: OperatorStatement): boolean {
    return this.#keys.hasSigned(key, operatorSigningInput(statement), signature);
  }

  /** @throws CmcpError `OPERATOR_STATEMENT_INVALID` unless a measured key signed the statement */
  authenticate(signed: OperatorStatement): void {
    if (!this.hasSigned(signed)) {
      throw new CmcpError(
        "OPERATOR_STATEMENT_INVALID",
        "the statement is not signed by a key of enclave.operator_keys",
      );
    }
  }

  /** @throws CmcpError `OPERATOR_STATEMENT_REPLAYED` unless the sequence number is higher than that of the key's last applied statement */
  assertNew({ key, statement }: OperatorStatement): void {
    if (statement.sequence <= (this.#lastSequence.get(key) ?? 0)) {
      throw new CmcpError(
        "OPERATOR_STATEMENT_REPLAYED",
        "a statement of this key with the same or a higher sequence was already applied; use a higher one",
      );
    }
  }

  /** Notes that a statement is applied. The map is bounded, because only measured keys get here. */
  markApplied({ key, statement }: OperatorStatement): void {
    this.#lastSequence.set(key, statement.sequence);
  }
}
