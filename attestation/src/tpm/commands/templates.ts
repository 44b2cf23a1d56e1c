import { ALGORITHM, CURVE_P256 } from "./codes.ts";
import { CommandWriter } from "./writer.ts";

/** Object attributes (part 2, section 8.3). */
const FIXED_TPM = 1 << 1;
const FIXED_PARENT = 1 << 4;
const SENSITIVE_DATA_ORIGIN = 1 << 5;
const USER_WITH_AUTH = 1 << 6;
const NO_DICTIONARY_ATTACK = 1 << 10;
const RESTRICTED = 1 << 16;
const DECRYPT = 1 << 17;
const SIGN = 1 << 18;

const PRIMARY = FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | USER_WITH_AUTH;

/**
 * TPMT_PUBLIC of an attestation key: P-256, signs with ECDSA over SHA-256, and restricted, so that it signs only
 * what the TPM itself made. The same template gives the same key for as long as the TPM has its seed. It has no password to
 * guess, and stands outside the protection against guessing: a TPM that loses power after a key within it was used counts a
 * failed guess, and after a few refuses all of them (part 1, section 19.8).
 */
export function attestationKeyTemplate(): Uint8Array {
  return new CommandWriter()
    .u16(ALGORITHM.ecc)
    .u16(ALGORITHM.sha256)
    .u32(PRIMARY | NO_DICTIONARY_ATTACK | RESTRICTED | SIGN)
    .u16(0) // no policy
    .u16(ALGORITHM.null)
    .u16(ALGORITHM.ecdsa)
    .u16(ALGORITHM.sha256)
    .u16(CURVE_P256)
    .u16(ALGORITHM.null)
    .u16(0)
    .u16(0) // the TPM fills in the point
    .done();
}

/**
 * TPMT_PUBLIC of a storage key, the parent that sealed objects are encrypted to: P-256 and AES-128 CFB (TCG TPM v2.0
 * Provisioning Guidance, section 7.5.1).
 */
export function storageKeyTemplate(): Uint8Array {
  return new CommandWriter()
    .u16(ALGORITHM.ecc)
    .u16(ALGORITHM.sha256)
    .u32(PRIMARY | NO_DICTIONARY_ATTACK | RESTRICTED | DECRYPT)
    .u16(0)
    .u16(ALGORITHM.aes)
    .u16(128)
    .u16(ALGORITHM.cfb)
    .u16(ALGORITHM.null)
    .u16(CURVE_P256)
    .u16(ALGORITHM.null)
    .u16(0)
    .u16(0)
    .done();
}

/** TPMT_PUBLIC of data that only a policy opens: there is no password beside it. @param policyDigest 32 bytes. */
export function sealedDataTemplate(policyDigest: Uint8Array): Uint8Array {
  return new CommandWriter()
    .u16(ALGORITHM.keyedHash)
    .u16(ALGORITHM.sha256)
    .u32(FIXED_TPM | FIXED_PARENT | NO_DICTIONARY_ATTACK)
    .sized(policyDigest)
    .u16(ALGORITHM.null)
    .u16(0)
    .done();
}
