/** Operators' statements that a store is lost. */
import { generateKeyPairSync, sign } from "node:crypto";
import { toBase64Url } from "@cmcp/boundary";
import type { LostStoreStatement, SignedLostStore } from "../lost-store.ts";
import { operatorSigningInput } from "../operator-statement.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");

/** The operator's public key. */
export const OPERATOR_KEY = publicKey.export({ format: "jwk" }).x ?? "";

/** A statement that opens epoch 1 of the log of tests, but for what is changed, signed as it then is. */
export function signedLostStore(change: Partial<LostStoreStatement> = {}): SignedLostStore {
  const statement: LostStoreStatement = {
    v: 1,
    purpose: "lost-store",
    origin: "gateway.example/0",
    last: { size: 45, root: "a".repeat(64) },
    reason: "the disk is gone",
    ...change,
  };
  return {
    statement,
    key: OPERATOR_KEY,
    signature: toBase64Url(sign(null, operatorSigningInput(statement), privateKey)),
  };
}
