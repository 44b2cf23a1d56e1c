import type { Kem } from "./kem.ts";
import { X25519 } from "./x25519.ts";
import { X_WING } from "./x-wing.ts";

/** Algorithms of HPKE that are used together. The key derivation is HKDF-SHA256, and the cipher AES-GCM. */
export interface Suite {
  readonly kem: Kem;
  /** `aead_id` of the HPKE registry. */
  readonly aeadId: number;
  /** Bytes of a key of the cipher. */
  readonly keyBytes: number;
}

/** RFC 9180 section 7.2: HKDF-SHA256. */
export const KDF_ID = 0x0001;
/** RFC 9180 section 7.3: AES-256-GCM. */
const AES_256_GCM = { aeadId: 0x0002, keyBytes: 32 } as const;

/** X-Wing, HKDF-SHA256, AES-256-GCM. */
export const X_WING_SUITE: Suite = { kem: X_WING, ...AES_256_GCM };
/** DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. */
export const X25519_SUITE: Suite = { kem: X25519, ...AES_256_GCM };

/** The suites that are used, the preferred one first. */
export const SUITES: readonly Suite[] = [X_WING_SUITE, X25519_SUITE];

/** The suite of a mechanism, of which each has one. */
export function suiteOf(kem: Kem): Suite {
  return kem === X_WING ? X_WING_SUITE : X25519_SUITE;
}
