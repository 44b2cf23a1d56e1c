import { CmcpError, withoutPadding } from "@cmcp/boundary";
import { Certificate, MAX_CERTIFICATE_BYTES } from "./certificate.ts";

/** How much PEM text is read: blocks, and bytes of text with what tools print around the blocks. */
export interface PemLimits {
  readonly blocks: number;
  readonly bytes: number;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,32})-----([A-Za-z0-9+/=\s]*)-----END \1-----/g;
/** First byte of DER of any certificate or list; as text it is the digit 0. */
const SEQUENCE = 0x30;
/** What tools print before the first block is shorter than this, in bytes. */
const MAX_PREAMBLE_BYTES = 64 * 1024;

const BEGIN = /-----BEGIN /g;

/**
 * DER of every block of this label in PEM text (RFC 7468), text around the blocks allowed as tools write it. NUL
 * bytes at the end are dropped: quotes pad their chains with them.
 *
 * @throws CmcpError `EVIDENCE_MALFORMED` for too many bytes or blocks, another label, or anything that is not base64.
 */
export function pemBlocks(bytes: Uint8Array, label: string, limits: PemLimits): Uint8Array<ArrayBuffer>[] {
  if (bytes.length > limits.bytes)
    throw new CmcpError("EVIDENCE_MALFORMED", `PEM text is ${bytes.length} bytes, limit ${limits.bytes}`);
  const text = new TextDecoder("latin1").decode(withoutPadding(bytes));
  const blocks = [...text.matchAll(BLOCK)];
  if (blocks.length !== [...text.matchAll(BEGIN)].length)
    throw new CmcpError("EVIDENCE_MALFORMED", "a PEM block is not complete");
  if (blocks.length > limits.blocks)
    throw new CmcpError("EVIDENCE_MALFORMED", `${blocks.length} PEM blocks, limit ${limits.blocks}`);
  return blocks.map(([, found = "", body = ""]) => {
    if (found !== label) throw new CmcpError("EVIDENCE_MALFORMED", `a PEM block is not a ${label}`);
    return fromBase64(body.replaceAll(/\s/g, ""));
  });
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  try {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    if (bytes.length > 0 && text.length === Math.ceil(bytes.length / 3) * 4) return bytes;
  } catch {
    // atob's error says no more than the one below.
  }
  throw new CmcpError("EVIDENCE_MALFORMED", "a PEM block is not base64");
}

/** DER of every certificate of PEM text, in its order. @throws CmcpError `EVIDENCE_MALFORMED`, also for none or more than `max`. */
export function pemCertificates(bytes: Uint8Array, max: number): Uint8Array[] {
  const blocks = pemBlocks(bytes, "CERTIFICATE", { blocks: max, bytes: 4 * max * MAX_CERTIFICATE_BYTES });
  if (blocks.length === 0) throw new CmcpError("EVIDENCE_MALFORMED", "PEM text without a certificate");
  return blocks;
}

/** {@link pemCertificates}, read. */
export function parsePemCertificates(bytes: Uint8Array, max: number): Certificate[] {
  return pemCertificates(bytes, max).map((der) => Certificate.parse(der));
}

/** True when the bytes are text with a PEM block, as opposed to DER. */
export function looksLikePem(bytes: Uint8Array): boolean {
  return (
    bytes[0] !== SEQUENCE &&
    new TextDecoder("latin1").decode(bytes.subarray(0, MAX_PREAMBLE_BYTES)).includes("-----BEGIN ")
  );
}
