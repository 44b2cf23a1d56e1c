import { createPublicKey, verify } from "node:crypto";
import { fromBase64Url } from "@cmcp/boundary";
import { operatorSigningInput } from "./operator-statement.ts";

/** Whether an Ed25519 key, base64url of 32 bytes, signed a statement in the operators' domain. */
export function verifiesStatement(key: string, statement: object, signature: string): boolean {
  const bytes = fromBase64Url(key);
  if (bytes?.length !== 32) return false;
  const publicKey = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: key }, format: "jwk" });
  return verify(null, operatorSigningInput(statement), publicKey, fromBase64Url(signature) ?? new Uint8Array());
}
