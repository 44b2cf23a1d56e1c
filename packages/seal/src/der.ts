/** Documents of keys in DER, up to the bytes of the key: each has one length, so nothing has to be parsed. */
import { fromHex } from "@cmcp/boundary";
import { EMPTY } from "./bytes.ts";

const hex = (text: string): Uint8Array => fromHex(text) ?? EMPTY;

/** PKCS #8 (RFC 5958) of an X25519 private key, 32 bytes (RFC 8410 section 7). */
export const X25519_PKCS8 = hex("302e020100300506032b656e04220420");
/** SubjectPublicKeyInfo of an X25519 key, 32 bytes (RFC 8410 section 4). */
export const X25519_SPKI = hex("302a300506032b656e032100");
/** PKCS #8 of an ML-KEM-768 private key as a seed, 64 bytes (RFC 9935 section 6). */
export const ML_KEM_768_PKCS8 = hex("3054020100300b060960864801650304040204428040");
/** SubjectPublicKeyInfo of an ML-KEM-768 key, 1184 bytes (RFC 9935 section 4). */
export const ML_KEM_768_SPKI = hex("308204b2300b0609608648016503040402038204a100");
/** PKCS #8 of an X-Wing private key, 32 bytes (draft-connolly-cfrg-xwing-kem-10, use in X.509). */
export const X_WING_PKCS8 = hex("3034020100300d060b2b0601040183e62d81c87a0420");
/** SubjectPublicKeyInfo of an X-Wing key, 1216 bytes (the same section). */
export const X_WING_SPKI = hex("308204d4300d060b2b0601040183e62d81c87a038204c100");
