import { toHex } from "@cmcp/boundary";

/** `kid` of a signing key: `cmcp-` and the first 8 hex digits of its 32 bytes. */
export function keyIdOf(publicKey: Uint8Array): string {
  return `cmcp-${toHex(publicKey.subarray(0, 4))}`;
}

/** `subject` of a signing key: the first 16 hex digits of its 32 bytes, below the gateway's SPIFFE path. */
export function subjectOf(publicKey: Uint8Array): string {
  return `spiffe://cmcp.gateway/tee/${toHex(publicKey.subarray(0, 8))}`;
}
