/** Characters of one bearer token. */
export const MAX_TOKEN = 8_192;
/** Issuers of one instance. */
export const MAX_ISSUERS = 16;
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
