import { ByteReader, CmcpError } from "@cmcp/boundary";

/** Largest quote taken, in bytes; one over every bank of a TPM has about 300. */
export const MAX_QUOTE_BYTES = 2048;
/** Most selections of a quote: TPM 2.0 Library part 2, TPML_PCR_SELECTION, holds up to HASH_COUNT of them. */
const MAX_SELECTIONS = 16;
/** Longest TPM2B_NAME, TPM2B_DATA and TPM2B_DIGEST: an algorithm number and a 64-byte digest. */
const MAX_SIZED_BYTES = 66;
/** Bytes of a register bitmap: PCR 0 to 23. */
const SELECT_BYTES = 3;

/** TPM_GENERATED_VALUE (part 2, section 6.2): a restricted key signs it only in what the TPM itself made. */
const GENERATED = 0xff544347;
/** TPM_ST_ATTEST_QUOTE (part 2, section 6.9). */
const ST_ATTEST_QUOTE = 0x8018;

/** TPMS_CLOCK_INFO (part 2, section 10.11.1). */
export interface ClockInfo {
  /** Milliseconds the TPM was powered. */
  readonly clock: bigint;
  /** Resets of the TPM: starts of the machine, for one that is not suspended. */
  readonly resetCount: number;
  /** Restarts and resumes since the last reset. */
  readonly restartCount: number;
  /** False when the TPM may have shown a later clock value before. */
  readonly safe: boolean;
}

/** TPMS_PCR_SELECTION (part 2, section 10.6.2). */
export interface PcrSelection {
  /** TPM_ALG_ID of the bank. */
  readonly bankId: number;
  /** Selected registers, ascending. */
  readonly registers: readonly number[];
}

/** A parsed quote. Its signature is not verified. */
export interface TpmQuote {
  /** TPMS_ATTEST, the bytes that are signed. */
  readonly signed: Uint8Array;
  /** Name of the key that signed, as the TPM says it. */
  readonly qualifiedSigner: Uint8Array;
  /** Qualifying data: the caller's challenge, up to 64 bytes. */
  readonly extraData: Uint8Array;
  readonly clockInfo: ClockInfo;
  readonly firmwareVersion: bigint;
  readonly selections: readonly PcrSelection[];
  /** Digest over the selected registers, by the hash of the signature. */
  readonly pcrDigest: Uint8Array;
}

/**
 * Parses TPMS_ATTEST of a quote (TPM 2.0 Library part 2, section 10.12.12), bare or with the length of a
 * TPM2B_ATTEST before it.
 *
 * @throws CmcpError `EVIDENCE_MALFORMED`, for every other kind of attestation too.
 */
export function parseTpmQuote(bytes: Uint8Array): TpmQuote {
  if (bytes.length > MAX_QUOTE_BYTES) throw malformed(`${bytes.length} bytes, more than ${MAX_QUOTE_BYTES}`);
  const signed = withoutLength(bytes);
  const reader = new ByteReader(signed, "TPM quote", "big");
  if (reader.u32() !== GENERATED) throw malformed("not made by a TPM: the magic number is missing");
  if (reader.u16() !== ST_ATTEST_QUOTE) throw malformed("another kind of attestation than a quote");
  const qualifiedSigner = sized(reader);
  const extraData = sized(reader);
  const clockInfo = {
    clock: reader.u64(),
    resetCount: reader.u32(),
    restartCount: reader.u32(),
    safe: yesNo(reader.u8()),
  };
  const firmwareVersion = reader.u64();
  const selections = readSelections(reader);
  const pcrDigest = sized(reader);
  reader.end();
  return { signed, qualifiedSigner, extraData, clockInfo, firmwareVersion, selections, pcrDigest };
}

/** True for bytes that begin as a quote does, bare or with its length before it. */
export function looksLikeTpmQuote(bytes: Uint8Array): boolean {
  const begins = (at: number): boolean =>
    bytes.length >= at + 4 && new ByteReader(bytes, "TPM quote", "big").at(at).u32() === GENERATED;
  return begins(0) || begins(2);
}

function malformed(why: string): CmcpError {
  return new CmcpError("EVIDENCE_MALFORMED", `TPM quote: ${why}`);
}

function withoutLength(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 2) return bytes;
  const length = new ByteReader(bytes, "TPM quote", "big").u16();
  return length === bytes.length - 2 ? bytes.subarray(2) : bytes;
}

function sized(reader: ByteReader): Uint8Array {
  const length = reader.u16();
  if (length > MAX_SIZED_BYTES) throw malformed(`a field of ${length} bytes`);
  return reader.take(length);
}

/** TPMI_YES_NO (part 2, section 9.2). */
function yesNo(byte: number): boolean {
  if (byte > 1) throw malformed("a flag is neither yes nor no");
  return byte === 1;
}

function readSelections(reader: ByteReader): readonly PcrSelection[] {
  const count = reader.u32();
  if (count > MAX_SELECTIONS) throw malformed(`${count} selections`);
  const selections: PcrSelection[] = [];
  for (let index = 0; index < count; index += 1) {
    const bankId = reader.u16();
    const length = reader.u8();
    if (length > SELECT_BYTES) throw malformed(`a register bitmap of ${length} bytes`);
    selections.push({ bankId, registers: registersOf(reader.take(length)) });
  }
  return selections;
}

/** Part 2, section 10.6.1: bit n of byte m stands for register 8·m + n. */
export function registersOf(bitmap: Uint8Array): readonly number[] {
  const registers: number[] = [];
  for (const [byte, bits] of bitmap.entries())
    for (let bit = 0; bit < 8; bit += 1) if (((bits >> bit) & 1) === 1) registers.push(8 * byte + bit);
  return registers;
}
