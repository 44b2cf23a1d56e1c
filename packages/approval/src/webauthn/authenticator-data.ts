import { MAX_AUTHENTICATOR_DATA_BYTES } from "../limits.ts";

/** Flags (WebAuthn Level 3, section 6.1). */
const USER_PRESENT = 0x01;
const USER_VERIFIED = 0x04;
const BACKUP_ELIGIBLE = 0x08;
const BACKED_UP = 0x10;
const ATTESTED = 0x40;
const EXTENSIONS = 0x80;
/** Hash of the RP ID, flags, and the signature counter. */
const FIXED_BYTES = 37;

/** What an assertion's authenticator data say. The authenticator signs them. */
export interface AuthenticatorData {
  /** SHA-256, 32 bytes. */
  readonly rpIdHash: Uint8Array;
  readonly userPresent: boolean;
  readonly userVerified: boolean;
}

/**
 * Reads the authenticator data of an assertion (WebAuthn Level 3, section 6.1). An assertion has no attested credential data. Extension data
 * is not interpreted.
 * @returns `null` for what is no such data
 */
export function readAuthenticatorData(data: Uint8Array): AuthenticatorData | null {
  const flags = data[32];
  if (flags === undefined || data.length < FIXED_BYTES || data.length > MAX_AUTHENTICATOR_DATA_BYTES) return null;
  const has = (flag: number): boolean => (flags & flag) !== 0;
  if (has(ATTESTED) || has(EXTENSIONS) !== data.length > FIXED_BYTES) return null;
  // A credential that cannot be backed up is not backed up.
  if (has(BACKED_UP) && !has(BACKUP_ELIGIBLE)) return null;
  return { rpIdHash: data.slice(0, 32), userPresent: has(USER_PRESENT), userVerified: has(USER_VERIFIED) };
}
