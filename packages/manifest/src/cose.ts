import { toHex } from "@cmcp/boundary";
import { bytesHead, CborReader } from "./cbor.ts";
import { malformed } from "./malformed.ts";

/** CBOR tag of COSE_Sign1 (RFC 9052 section 4.2). */
const SIGN1_TAG = 18;
/** The first byte of a tagged COSE_Sign1, and of no JSON text. */
export const SIGN1_FIRST_BYTE = 0xd2;

/** Header labels (RFC 9052 section 3.1; `typ` is RFC 9596). */
const ALG = 1;
const CRIT = 2;
const CONTENT_TYPE = 3;
const KID = 4;
const TYP = 16;

/** Ed25519 (RFC 9864), and the older identifier under which issuers signed with it (RFC 9053). */
const ED25519_ALGORITHMS: readonly number[] = [-19, -8];
const PAYLOAD_TYPE = "application/agent-manifest+json";
const OBJECT_TYPE = "application/agent-manifest+cose";
const KEY_ID_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** An envelope in its parts. Its signature is not verified. */
export interface Envelope {
  /** SHA-256 of the signing key, hex. */
  readonly keyId: string;
  readonly payload: Uint8Array;
  /** What the signature is over. */
  readonly signed: Uint8Array<ArrayBuffer>;
  /** 64 bytes. */
  readonly signature: Uint8Array<ArrayBuffer>;
}

/**
 * Reads a tagged COSE_Sign1 of a manifest. What stands in the unprotected header is gone over and not read, as no signature covers it.
 * @throws CmcpError `AGENT_MANIFEST_MALFORMED`
 */
export function readEnvelope(bytes: Uint8Array): Envelope {
  const reader = new CborReader(bytes, "COSE_Sign1");
  reader.tag(SIGN1_TAG);
  reader.array(4);
  const protectedHeader = reader.bytes();
  const keyId = readProtected(protectedHeader);
  reader.map((label) => {
    if (label === ALG || label === CRIT) throw malformed("alg and crit stand in the protected header alone");
    reader.skip();
  });
  const payload = reader.bytes();
  const signature = reader.bytes();
  reader.end();
  if (signature.length !== SIGNATURE_BYTES) throw malformed(`a signature has ${SIGNATURE_BYTES} bytes`);
  return {
    keyId,
    payload,
    signed: sigStructure(protectedHeader, payload),
    signature: signature.slice(),
  };
}

/** @returns the key id */
function readProtected(bytes: Uint8Array): string {
  const reader = new CborReader(bytes, "protected header");
  const header = new Map<number | string, number | string>();
  reader.map((label) => {
    if (label === ALG) header.set(label, reader.integer());
    else if (label === CONTENT_TYPE || label === TYP) header.set(label, reader.text());
    else if (label === KID) header.set(label, keyIdOf(reader.bytes()));
    else throw malformed("the protected header has a member that is not known");
  });
  reader.end();
  if (!ED25519_ALGORITHMS.includes(Number(header.get(ALG)))) throw malformed("its algorithm is not Ed25519");
  if (header.get(TYP) !== OBJECT_TYPE) throw malformed(`typ is not ${OBJECT_TYPE}`);
  if (header.get(CONTENT_TYPE) !== PAYLOAD_TYPE) throw malformed(`the content type is not ${PAYLOAD_TYPE}`);
  const keyId = header.get(KID);
  if (typeof keyId !== "string") throw malformed("the protected header has no kid");
  return keyId;
}

function keyIdOf(bytes: Uint8Array): string {
  if (bytes.length !== KEY_ID_BYTES) throw malformed(`a kid has ${KEY_ID_BYTES} bytes`);
  return toHex(bytes);
}

const CONTEXT = new TextEncoder().encode("Signature1");

/** The Sig_structure of a COSE_Sign1 without external data (RFC 9052 section 4.4): an array of four. */
function sigStructure(protectedHeader: Uint8Array, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const parts = [
    [0x84, 0x60 | CONTEXT.length],
    CONTEXT,
    bytesHead(protectedHeader.length),
    protectedHeader,
    bytesHead(0),
    bytesHead(payload.length),
    payload,
  ];
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
