/** Numbers of the TPM 2.0 Library, part 2 (structures), that this collector uses. */

/** Structure tags (part 2, section 6.9). */
export const TAG = { noSessions: 0x8001, sessions: 0x8002 } as const;

/** Commands (part 2, section 6.5.2). */
export const COMMAND = {
  createPrimary: 0x131,
  nvRead: 0x14e,
  create: 0x153,
  load: 0x157,
  quote: 0x158,
  unseal: 0x15e,
  flushContext: 0x165,
  nvReadPublic: 0x169,
  nvWrite: 0x137,
  readPublic: 0x173,
  startAuthSession: 0x176,
  getCapability: 0x17a,
  pcrRead: 0x17e,
  policyPcr: 0x17f,
  pcrExtend: 0x182,
} as const;

/** Algorithms (part 2, section 6.3). */
export const ALGORITHM = {
  sha1: 0x0004,
  aes: 0x0006,
  keyedHash: 0x0008,
  sha256: 0x000b,
  sha384: 0x000c,
  sha512: 0x000d,
  null: 0x0010,
  ecdsa: 0x0018,
  ecc: 0x0023,
  cfb: 0x0043,
} as const;

/** NIST P-256 (part 2, section 6.4). */
export const CURVE_P256 = 0x0003;

/** Permanent handles (part 2, section 7.4). */
export const HANDLE = { owner: 0x40000001, null: 0x40000007, password: 0x40000009, endorsement: 0x4000000b } as const;

/** Response codes (part 2, section 6.6). */
export const RESPONSE = {
  success: 0x000,
  /** The command was not started; sending it again is right. */
  yielded: 0x908,
  testing: 0x90a,
  nvRate: 0x920,
  retry: 0x922,
  /** Format-one codes: the number below, plus what they speak of (a handle, parameter or session and its position). */
  attributes: 0x082,
  hash: 0x083,
  value: 0x084,
  type: 0x08a,
  handle: 0x08b,
  scheme: 0x092,
  size: 0x095,
  insufficient: 0x09a,
  policyFail: 0x09d,
  integrity: 0x09f,
  binding: 0x0a5,
} as const;

/** What a response code says without its position (part 2, section 6.6.2: format one keeps the position in bits 6 and 8 to 11). */
export function bareResponseCode(code: number): number {
  return (code & 0x80) === 0 ? code : code & 0x0bf;
}

/** Bytes of a digest, by algorithm; only those a PCR bank can have. */
export const DIGEST_BYTES: ReadonlyMap<number, number> = new Map([
  [ALGORITHM.sha1, 20],
  [ALGORITHM.sha256, 32],
  [ALGORITHM.sha384, 48],
  [ALGORITHM.sha512, 64],
]);
