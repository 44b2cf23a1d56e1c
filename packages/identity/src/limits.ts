/** Characters of one bearer token. */
export const MAX_TOKEN = 8_192;
/** Issuers of one instance. */
export const MAX_ISSUERS = 16;
/** Keys of one SPIFFE bundle, those for other uses included. */
export const MAX_BUNDLE_KEYS = 64;
/** Keys of one issuer. */
export const MAX_KEYS = 32;
/** Bits of an RSA modulus, at least (RFC 7518 section 3.3) and at most: verification costs grow with it. */
export const RSA_BITS = { least: 2_048, most: 4_096 } as const;
/** Values of an `aud` claim. */
export const MAX_AUDIENCES = 16;
/** Claims of one issuer that policies may read. */
export const MAX_PROJECTED = 32;
/** UTF-8 bytes of one projected text. */
export const MAX_TEXT_BYTES = 1_024;
/** Members of one projected set. */
export const MAX_MEMBERS = 64;
/** Characters of a subject that the configuration lists. */
export const MAX_SUBJECT = 256;
/** Scopes that the configuration names for one issuer, or for the resource. */
export const MAX_SCOPES = 64;
/** Characters of one DPoP proof; one of a 4096-bit RSA key has about 2500. */
export const MAX_PROOF = 4_096;
/** Characters of a proof's `jti`. */
export const MAX_PROOF_ID = 256;
/** Milliseconds for which one nonce is given out. It counts for as long again. */
export const NONCE_PERIOD_MS = 30_000;
/** Proofs under one nonce, of all principals together: each is remembered for as long as the nonce counts. */
export const MAX_PROOFS = 65_536;
/** Pinned keys of a server that an issuer's keys are fetched from, or of its authorities. */
export const MAX_PINS = 4;
/** Bytes of a JWK set that is fetched. */
export const MAX_KEY_SET_BYTES = 256 * 1_024;
/** Keys of a JWK set that is fetched, those for other uses included. */
export const MAX_FETCHED_KEYS = 100;
/** Milliseconds for one fetch of an issuer's keys. */
export const KEY_FETCH_MS = 10_000;
/** Milliseconds between two fetches of one issuer's keys, at least. */
export const KEY_FETCH_INTERVAL_MS = 30_000;
/** The same after a fetch that failed. */
export const KEY_RETRY_INTERVAL_MS = 5_000;
/** Requests that wait for one issuer's keys. */
export const MAX_WAITING_FOR_KEYS = 64;
