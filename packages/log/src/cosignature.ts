/** Cosignatures of witnesses, Ed25519 with a time (C2SP tlog-cosignature, `cosignature/v1`). */
import type { VerifierKey } from "./key.ts";
import { formatSignature, type Note } from "./note.ts";

/** Bytes of the time in a cosignature. */
const TIME_BYTES = 8;

/** Bytes of a cosignature behind the key id: time and Ed25519 signature. */
const COSIGNATURE_BYTES = TIME_BYTES + 64;

/** Latest time that a cosignature may have: the end of the year 9999, in seconds since 1970. */
export const MAX_COSIGNED_TIME = 253_402_300_799;

/** What a witness is said to have signed: unverified. */
export interface Cosignature {
  /** Seconds since 1970. */
  readonly time: number;
  /** 64 bytes, Ed25519 over {@link cosignedMessage}. */
  readonly signature: Uint8Array;
}

/**
 * The bytes that a witness signs.
 *
 * @param text of the checkpoint's note
 * @param time seconds since 1970
 */
export function cosignedMessage(text: string, time: number): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`cosignature/v1\ntime ${time}\n${text}`);
}

/**
 * What a witness's key is said to have cosigned in a note. A line of the key's name and id that is no cosignature empties
 * the answer, and a note without one has none. A reader counts the witness if there is a cosignature and all verify.
 *
 * @param key of the type of cosignatures
 */
export function cosignaturesBy(note: Note, key: VerifierKey): readonly Cosignature[] {
  const found = note.signatures
    .filter(({ name, keyId }) => name === key.name && keyId === key.id)
    .map(({ signature }) => cosignatureOf(signature));
  const cosignatures = found.filter((each) => each !== undefined);
  return cosignatures.length === found.length ? cosignatures : [];
}

function cosignatureOf(bytes: Uint8Array): Cosignature | undefined {
  if (bytes.length !== COSIGNATURE_BYTES) return undefined;
  const time = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(0);
  if (time === 0n || time > BigInt(MAX_COSIGNED_TIME)) return undefined;
  return { time: Number(time), signature: bytes.subarray(TIME_BYTES) };
}

/** Writes the signature line of a cosignature, with its newline. */
export function formatCosignature(key: VerifierKey, { time, signature }: Cosignature): string {
  const bytes = new Uint8Array(TIME_BYTES + signature.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(time));
  bytes.set(signature, TIME_BYTES);
  return formatSignature({ name: key.name, keyId: key.id, signature: bytes });
}
