import { createPublicKey, verify, type KeyObject } from "node:crypto";
import { CmcpError, fromBase64Url } from "@cmcp/boundary";
import { operatorSigningInput, type OperatorStatement } from "@cmcp/audit";

/** Whether an Ed25519 key, base64url of 32 bytes, signed a statement in the operators' domain. */
export function verifiesStatement(key: string, statement: object, signature: string): boolean {
  const bytes = fromBase64Url(key);
  if (bytes?.length !== 32) return false;
  const publicKey = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: key }, format: "jwk" });
  return verify(null, operatorSigningInput(statement), publicKey, fromBase64Url(signature) ?? new Uint8Array());
}

/** The operators of the measured configuration, and the latest sequence number of each. */
export class Operators {
  readonly #keys: ReadonlyMap<string, KeyObject>;
  readonly #lastSequence = new Map<string, number>();

  /** @param keys Ed25519 public keys, base64url of 32 bytes */
  constructor(keys: readonly string[]) {
    this.#keys = new Map(
      keys.map((x) => [x, createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" })]),
    );
  }

  /** Whether a measured key signed the statement. */
  hasSigned({ key, signature, statement }: OperatorStatement): boolean {
    const publicKey = this.#keys.get(key);
    if (publicKey === undefined) return false;
    return verify(null, operatorSigningInput(statement), publicKey, fromBase64Url(signature) ?? new Uint8Array());
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
