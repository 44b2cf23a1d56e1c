import { generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { toBase64Url } from "@cmcp/boundary";
import { operatorSigningInput, type Receipt, type ResetStatement } from "@cmcp/audit/schema";

/** An operator: an Ed25519 key pair. */
export interface Operator {
  readonly privateKey: KeyObject;
  /** As `enclave.operator_keys` lists it. */
  readonly publicKey: string;
  sign<T extends object>(statement: T): { readonly statement: T; readonly key: string; readonly signature: string };
}

export function newOperator(): Operator {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const { x = "" } = publicKey.export({ format: "jwk" });
  return {
    privateKey,
    publicKey: x,
    sign: (statement) => ({
      statement,
      key: x,
      signature: toBase64Url(sign(null, operatorSigningInput(statement), privateKey)),
    }),
  };
}

/** The statement that resets the session of a receipt, right after the receipt's call. */
export function resetAfter(receipt: Receipt, sequence: number): ResetStatement {
  return {
    v: 1,
    purpose: "session-reset",
    session_id: receipt.session_id,
    chain_tip: receipt.entry_hash,
    instance: receipt.instance,
    sequence,
    reason: "the record was synthetic",
  };
}
