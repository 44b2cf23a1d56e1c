/** Signed notes (C2SP signed-note): a text, an empty line, and signature lines. */
import { CmcpError, fromBase64, toBase64 } from "@cmcp/boundary";
import { isKeyName, keyIdOf, type VerifierKey } from "./key.ts";

/** Largest note. C2SP asks for room for 16 signatures, of which a post-quantum one has nearly 5 kB. */
export const MAX_NOTE_BYTES = 128 * 1024;

/** Most signature lines of a note. */
export const MAX_NOTE_SIGNATURES = 64;

/** Bytes of an Ed25519 signature (RFC 8032 section 5.1.6). */
const SIGNATURE_BYTES = 64;

const KEY_ID_BYTES = 4;

/** How a signature line begins: an em dash and a space. */
const LINE_MARK = "\u2014 ";

/** One line of signature, unverified. */
export interface NoteSignature {
  /** Name of the key. */
  readonly name: string;
  /** Id of the key, an unsigned 32-bit number. */
  readonly keyId: number;
  /** What follows the key id; its form depends on the key's type. At least one byte. */
  readonly signature: Uint8Array;
}

/** A note that was read. Nothing in it is verified. */
export interface Note {
  /** With the newline that ends it, and without the empty line behind it. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** Writes one signature line, with its newline. */
export function formatSignature({ name, keyId, signature }: NoteSignature): string {
  const bytes = new Uint8Array(KEY_ID_BYTES + signature.length);
  new DataView(bytes.buffer).setUint32(0, keyId);
  bytes.set(signature, KEY_ID_BYTES);
  return `${LINE_MARK}${name} ${toBase64(bytes)}\n`;
}

/**
 * Signs a text and writes the note.
 *
 * @param text ends in a newline and has no control character besides
 * @param key of type Ed25519
 * @param sign makes the Ed25519 signature over the bytes it is given
 */
export function signNote(text: string, key: VerifierKey, sign: (bytes: Uint8Array) => Uint8Array): string {
  const signature = sign(new TextEncoder().encode(text));
  return `${text}\n${formatSignature({ name: key.name, keyId: key.id, signature })}`;
}

/**
 * Reads a note.
 *
 * @param note chosen by somebody else
 * @throws CmcpError `NOTE_MALFORMED` for anything that is not a note within {@link MAX_NOTE_BYTES} and {@link MAX_NOTE_SIGNATURES}
 */
export function parseNote(note: string): Note {
  if (note.length > MAX_NOTE_BYTES || !note.isWellFormed() || new TextEncoder().encode(note).length > MAX_NOTE_BYTES)
    throw malformed("it is too large, or not text");
  const end = note.lastIndexOf("\n\n");
  if (end === -1) throw malformed("no empty line ends its text");
  const text = note.slice(0, end + 1);
  if (hasControlCharacter(text)) throw malformed("its text has a control character");
  const signatures = parseSignatures(note.slice(end + 2));
  return { text, signatures };
}

/**
 * Reads signature lines: those of a note, or a witness's answer.
 *
 * @param lines chosen by somebody else
 * @throws CmcpError `NOTE_MALFORMED` for no line, more than {@link MAX_NOTE_SIGNATURES}, or a line of another form
 */
export function parseSignatures(lines: string): NoteSignature[] {
  if (lines.length > MAX_NOTE_BYTES) throw malformed("it is too large");
  if (!lines.endsWith("\n")) throw malformed("a newline does not end its signatures");
  const each = lines.slice(0, -1).split("\n");
  if (each.length > MAX_NOTE_SIGNATURES) throw malformed("it has too many signatures");
  return each.map(parseSignature);
}

function parseSignature(line: string): NoteSignature {
  const [name = "", encoded = "", ...more] = line.startsWith(LINE_MARK) ? line.slice(LINE_MARK.length).split(" ") : [];
  const bytes = fromBase64(encoded);
  if (more.length > 0 || !isKeyName(name) || bytes === undefined || bytes.length <= KEY_ID_BYTES)
    throw malformed("a signature line is not an em dash, a key name and base64");
  return { name, keyId: keyIdOf(bytes), signature: bytes.subarray(KEY_ID_BYTES) };
}

/** ASCII control characters but the newline (C2SP signed-note, "Format"). */
function hasControlCharacter(text: string): boolean {
  return /[^\n -\u{10ffff}]/u.test(text);
}

/**
 * What a key is said to have signed in a note: its signatures of 64 bytes, each over the note's text. A signature line
 * of the key's name and id with another length is no signature, and empties the answer: so does a note that the key did
 * not sign. A reader accepts the note if there is a signature and all verify.
 */
export function signaturesBy(note: Note, key: VerifierKey): readonly Uint8Array[] {
  const signatures = note.signatures.filter(({ name, keyId }) => name === key.name && keyId === key.id);
  return signatures.every(({ signature }) => signature.length === SIGNATURE_BYTES)
    ? signatures.map(({ signature }) => signature)
    : [];
}

function malformed(why: string): CmcpError {
  return new CmcpError("NOTE_MALFORMED", `not a signed note: ${why}`);
}
