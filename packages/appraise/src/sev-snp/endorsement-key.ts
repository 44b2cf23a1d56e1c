import { CmcpError } from "@cmcp/boundary";
import { keyKind } from "../x509/algorithm.ts";
import type { Certificate } from "../x509/certificate.ts";
import { DerReader, TAG } from "../x509/der.ts";
import { smallInteger } from "../x509/value.ts";
import { chipIdBytes, productOfName, type Product } from "./product.ts";
import type { TcbVersion } from "./tcb.ts";

/** AMD's extensions (AMD 57230 chapter 3). */
const AMD = "1.3.6.1.4.1.3704.1";
const OID = {
  productName: `${AMD}.2`,
  bootloader: `${AMD}.3.1`,
  tee: `${AMD}.3.2`,
  snp: `${AMD}.3.3`,
  microcode: `${AMD}.3.8`,
  fmc: `${AMD}.3.9`,
  hwId: `${AMD}.4`,
  cspId: `${AMD}.5`,
} as const;

export type EndorsementKeyKind = "VCEK" | "VLEK";

/** What the certificate of an endorsement key says of the platform it endorses. */
export interface EndorsementKey {
  readonly kind: EndorsementKeyKind;
  readonly product: Product;
  /** As the certificate has it, with a stepping such as `Milan-B0`. */
  readonly productName: string;
  readonly tcb: TcbVersion;
  /** VCEK only: 8 bytes on Turin, 64 before. */
  readonly hwId?: Uint8Array;
  /** VLEK only: the cloud provider and region. */
  readonly cspId?: string;
}

/** What a certificate calls itself; `undefined` for one that is no endorsement key's. */
export function endorsementKeyKind(certificate: Certificate): EndorsementKeyKind | undefined {
  const { commonName } = certificate;
  return commonName === "SEV-VCEK" ? "VCEK" : commonName === "SEV-VLEK" ? "VLEK" : undefined;
}

/** Common name of the key that signs endorsement keys of this kind. */
export function signingKeyName(kind: EndorsementKeyKind, product: Product): string {
  return kind === "VCEK" ? `SEV-${product}` : `SEV-VLEK-${product}`;
}

/**
 * Reads AMD's extensions of an endorsement key's certificate.
 *
 * @throws CmcpError `EVIDENCE_MALFORMED` when one is missing, has another form, or belongs to the other kind of key.
 */
export function readEndorsementKey(certificate: Certificate): EndorsementKey {
  const kind = endorsementKeyKind(certificate);
  if (kind === undefined) throw malformed("is of no endorsement key");
  const key = keyKind(certificate.spki);
  if (key.kind !== "ec" || key.curve !== "P-384") throw malformed("has a key that is not on P-384");
  const productName = ia5String(certificate, OID.productName);
  const product = productOfName(productName);
  if (product === undefined) throw malformed("names a product that is not known");
  const part = (oid: string): number => integer(certificate, oid);
  const turin = product === "Turin" ? { fmc: part(OID.fmc) } : {};
  const tcb: TcbVersion = {
    ...turin,
    bootloader: part(OID.bootloader),
    tee: part(OID.tee),
    snp: part(OID.snp),
    microcode: part(OID.microcode),
  };
  if (kind === "VLEK") {
    if (certificate.extension(OID.hwId) !== undefined) throw malformed("is a VLEK's with the identity of a chip");
    return { kind, product, productName, tcb, cspId: ia5String(certificate, OID.cspId) };
  }
  if (certificate.extension(OID.cspId) !== undefined) throw malformed("is a VCEK's with a cloud provider");
  return { kind, product, productName, tcb, hwId: hwId(certificate, chipIdBytes(product)) };
}

function malformed(problem: string): CmcpError {
  return new CmcpError("EVIDENCE_MALFORMED", `the certificate ${problem}`);
}

function required(certificate: Certificate, oid: string): Uint8Array {
  const value = certificate.extension(oid);
  if (value === undefined) throw malformed(`has no extension ${oid}`);
  return value;
}

function integer(certificate: Certificate, oid: string): number {
  const reader = new DerReader(required(certificate, oid), `extension ${oid}`);
  const value = smallInteger(reader);
  reader.end();
  if (value > 255) throw reader.malformed("is more than a byte");
  return value;
}

function ia5String(certificate: Certificate, oid: string): string {
  const reader = new DerReader(required(certificate, oid), `extension ${oid}`);
  const { content } = reader.next(TAG.ia5String);
  reader.end();
  if (content.some((byte) => byte < 0x20 || byte > 0x7e)) throw reader.malformed("is not printable ASCII");
  return String.fromCharCode(...content);
}

/** Raw bytes in certificates issued up to 2023 or so, an OCTET STRING since; the length tells which. */
function hwId(certificate: Certificate, length: number): Uint8Array {
  const value = required(certificate, OID.hwId);
  if (value.length === length) return value;
  const reader = new DerReader(value, `extension ${OID.hwId}`);
  const { content } = reader.next(TAG.octetString);
  reader.end();
  if (content.length !== length) throw reader.malformed(`is not ${length} bytes`);
  return content;
}
