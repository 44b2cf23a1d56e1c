import { ByteReader, CmcpError } from "@cmcp/boundary";
import { hashAlgorithm } from "../../event-log/hash-algorithm.ts";
import { registersOf } from "../quote.ts";
import type { RegisterValues } from "../evidence.ts";

/** Entries of the C array in TPML_PCR_SELECTION, 8 bytes each, and of that in TPML_DIGEST, 66 bytes each. */
const SELECTIONS = 16;
const DIGESTS = 8;
const DIGEST_BYTES = 64;
const SELECTION_LIST_BYTES = 4 + SELECTIONS * 8;
const DIGEST_LIST_BYTES = 4 + DIGESTS * (2 + DIGEST_BYTES);
/** Digest lists of the largest file: 24 registers in 16 banks, 8 to a list. */
const MAX_LISTS = 48;

/** True for bytes as long as a PCR file of `tpm2_quote --pcr` can be, that begin as one does: with a count, where a log has PCR 0. */
export function looksLikePcrFile(bytes: Uint8Array): boolean {
  const lists = (bytes.length - SELECTION_LIST_BYTES - 4) / DIGEST_LIST_BYTES;
  const count = bytes[0] ?? 0;
  return Number.isInteger(lists) && lists >= 1 && lists <= MAX_LISTS && count >= 1 && count <= SELECTIONS;
}

/**
 * Reads a PCR file of tpm2-tools: TPML_PCR_SELECTION and then a count of TPML_DIGEST, as C structures of fixed size
 * in little endian. Throws `EVIDENCE_MALFORMED`.
 */
export function readPcrFile(bytes: Uint8Array): ReadonlyMap<number, RegisterValues> {
  const reader = new ByteReader(bytes, "PCR file", "little");
  const wanted = readSelections(reader);
  const digests = readDigests(reader);
  reader.end();
  if (digests.length !== wanted.length) throw malformed(`${digests.length} values for ${wanted.length} registers`);
  const banks = new Map<number, Map<number, Uint8Array>>();
  for (const [position, { bankId, register }] of wanted.entries()) {
    const value = digests[position] ?? new Uint8Array();
    if (value.length !== hashAlgorithm(bankId)?.size) throw malformed("a value of another length than its bank has");
    const bank = banks.get(bankId) ?? new Map<number, Uint8Array>();
    banks.set(bankId, bank.set(register, value));
  }
  return banks;
}

function malformed(why: string): CmcpError {
  return new CmcpError("EVIDENCE_MALFORMED", `PCR file: ${why}`);
}

function readSelections(reader: ByteReader): readonly { readonly bankId: number; readonly register: number }[] {
  const count = reader.u32();
  if (count > SELECTIONS) throw malformed(`${count} selections`);
  const wanted: { bankId: number; register: number }[] = [];
  for (let index = 0; index < SELECTIONS; index += 1) {
    const bankId = reader.u16();
    const length = reader.u8();
    const bitmap = reader.take(4);
    reader.skip(1);
    if (length > 3) throw malformed(`a register bitmap of ${length} bytes`);
    if (index < count)
      wanted.push(...registersOf(bitmap.subarray(0, length)).map((register) => ({ bankId, register })));
  }
  return wanted;
}

function readDigests(reader: ByteReader): readonly Uint8Array[] {
  const lists = reader.u32();
  if (lists > MAX_LISTS) throw malformed(`${lists} lists of values`);
  const digests: Uint8Array[] = [];
  for (let list = 0; list < lists; list += 1) {
    const count = reader.u32();
    if (count > DIGESTS) throw malformed(`a list of ${count} values`);
    for (let index = 0; index < DIGESTS; index += 1) {
      const length = reader.u16();
      const bytes = reader.take(DIGEST_BYTES);
      if (index < count && length <= DIGEST_BYTES) digests.push(bytes.subarray(0, length));
    }
  }
  return digests;
}
