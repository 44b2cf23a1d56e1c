import { sign, type KeyObject } from "node:crypto";
import { toHex } from "@cmcp/boundary";
import { digestOf } from "../bytes/digest.ts";
import { invalid } from "../bytes/input.ts";

/** What an ID block says of a guest (AMD SEV-SNP firmware ABI 56860, table "Structure of the ID Block"). */
export interface IdBlock {
  /** Launch digest, 48 bytes. The processor refuses the launch when it is another. */
  readonly measurement: Uint8Array;
  /** 16 bytes each; reports carry them. */
  readonly familyId: Uint8Array;
  readonly imageId: Uint8Array;
  /** Security version: reports carry it, and a sealing key can be bound to it. */
  readonly guestSvn: number;
  /** Guest policy. The processor refuses the launch when it is another. */
  readonly policy: bigint;
}

const BLOCK_BYTES = 96;
const INFORMATION_BYTES = 4096;
/** Bytes of a key and of a signature, little-endian numbers of 72 bytes in both (56860, chapter 10). */
const KEY_BYTES = 0x404;
const NUMBER_BYTES = 72;
const SIGNATURE_BYTES = 512;
const P384 = 2;
const ECDSA_P384_SHA384 = 1;
/** Offsets in the ID authentication information structure. */
const AT = {
  idKeyAlgorithm: 0x0,
  authorKeyAlgorithm: 0x4,
  blockSignature: 0x40,
  idKey: 0x240,
  idKeySignature: 0x680,
  authorKey: 0x880,
} as const;

/** The 96 bytes that the ID key signs. @throws CmcpError `MEASURE_INPUT_INVALID` */
export function idBlockBytes({ measurement, familyId, imageId, guestSvn, policy }: IdBlock): Uint8Array {
  if (measurement.length !== 48 || familyId.length !== 16 || imageId.length !== 16)
    throw invalid("ID block", "needs a digest of 48 bytes and identifiers of 16");
  const inRange =
    Number.isInteger(guestSvn) && guestSvn >= 0 && guestSvn <= 0xffff_ffff && policy >= 0n && policy < 1n << 64n;
  if (!inRange) throw invalid("ID block", "its security version or policy is out of range");
  const block = new Uint8Array(BLOCK_BYTES);
  block.set(measurement, 0);
  block.set(familyId, 48);
  block.set(imageId, 64);
  const view = new DataView(block.buffer);
  view.setUint32(80, 1, true);
  view.setUint32(84, guestSvn, true);
  view.setBigUint64(88, policy, true);
  return block;
}

function littleEndian(bigEndian: Uint8Array): Uint8Array {
  const number = new Uint8Array(NUMBER_BYTES);
  number.set(bigEndian.toReversed());
  return number;
}

/** A P-384 key as the firmware takes it: curve, x and y. 1028 bytes. @throws CmcpError `MEASURE_INPUT_INVALID` for another key */
export function keyBytes(key: KeyObject): Uint8Array {
  const { crv, x = "", y = "" } = key.export({ format: "jwk" });
  if (crv !== "P-384") throw invalid("key", "is not an elliptic-curve key on P-384");
  const bytes = new Uint8Array(KEY_BYTES);
  bytes[0] = P384;
  bytes.set(littleEndian(Buffer.from(x, "base64url")), 4);
  bytes.set(littleEndian(Buffer.from(y, "base64url")), 4 + NUMBER_BYTES);
  return bytes;
}

/** ID_KEY_DIGEST or AUTHOR_KEY_DIGEST of reports of guests launched with the key: hex of 48 bytes. */
export function keyDigest(key: KeyObject): string {
  return toHex(digestOf("sha384", keyBytes(key)));
}

function signature(key: KeyObject, data: Uint8Array): Uint8Array {
  const raw = sign("sha384", data, { key, dsaEncoding: "ieee-p1363" });
  const bytes = new Uint8Array(SIGNATURE_BYTES);
  bytes.set(littleEndian(raw.subarray(0, 48)), 0);
  bytes.set(littleEndian(raw.subarray(48)), NUMBER_BYTES);
  return bytes;
}

/**
 * The ID authentication information that goes with an ID block: 4096 bytes, with fresh signatures each time.
 * @param authorKey signs the ID key, so that one author can stand behind several
 * @throws CmcpError `MEASURE_INPUT_INVALID` for keys not on P-384
 */
export function idAuthentication(block: Uint8Array, idKey: KeyObject, authorKey: KeyObject | undefined): Uint8Array {
  const information = new Uint8Array(INFORMATION_BYTES);
  const view = new DataView(information.buffer);
  const key = keyBytes(idKey);
  view.setUint32(AT.idKeyAlgorithm, ECDSA_P384_SHA384, true);
  information.set(signature(idKey, block), AT.blockSignature);
  information.set(key, AT.idKey);
  if (authorKey === undefined) return information;
  const author = keyBytes(authorKey);
  view.setUint32(AT.authorKeyAlgorithm, ECDSA_P384_SHA384, true);
  information.set(signature(authorKey, key), AT.idKeySignature);
  information.set(author, AT.authorKey);
  return information;
}
