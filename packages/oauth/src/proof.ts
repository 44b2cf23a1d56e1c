import { toBase64Url } from "@cmcp/boundary";
import { sha256, signJwt, type SigningPair } from "./keys.ts";

export { readSigningPair, type SigningPair } from "./keys.ts";

/** Longest nonce that is sent back, in characters. */
const MAX_NONCE = 512;

/** A nonce as a header may have it (RFC 9449 section 8.1). */
export function readNonce(header: string | null): string | null {
  return header !== null && header.length <= MAX_NONCE && /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(header) ? header : null;
}

/** What a proof is about. */
export interface ProvenRequest {
  readonly method: string;
  readonly url: URL;
}

/** What a proof is made with. */
export interface ProofMaker {
  readonly pair: SigningPair;
  readonly accessToken: string;
  /** The server's latest nonce; `null` before it gave one. */
  readonly nonce: string | null;
  /** Seconds since 1970. */
  readonly now: number;
}

/** A DPoP proof for one request to a tool server (RFC 9449 section 4.2): no query in `htu`, and an identifier that is used once. */
export async function proofFor({ method, url }: ProvenRequest, maker: ProofMaker): Promise<string> {
  const { pair, accessToken, nonce, now } = maker;
  const { kty = "", crv = "", x = "", y = "" } = pair.jwk;
  return await signJwt(
    { alg: "ES256", typ: "dpop+jwt", jwk: { kty, crv, x, y } },
    {
      jti: toBase64Url(crypto.getRandomValues(new Uint8Array(18))),
      htm: method,
      htu: `${url.origin}${url.pathname}`,
      iat: now,
      ath: await sha256(accessToken),
      ...(nonce === null ? {} : { nonce }),
    },
    pair.privateKey,
  );
}
