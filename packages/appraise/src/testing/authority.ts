import "reflect-metadata";
import { KeyObject, sign, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

x509.cryptoProvider.set(webcrypto);

type KeyPair = webcrypto.CryptoKeyPair;
/** An extension for a test certificate or list: object identifier, critical, content of its OCTET STRING. */
export const extension = (oid: string, critical: boolean, value: Uint8Array): x509.Extension =>
  new x509.Extension(oid, critical, Uint8Array.from(value));

/** Validity of everything made here unless said otherwise. */
export const FROM = new Date("2025-01-01T00:00:00Z");
export const UNTIL = new Date("2027-01-01T00:00:00Z");
/** A time within it. */
export const NOW = new Date("2026-01-01T00:00:00Z");

const P384 = { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" } as const;

/** Key usages a test certificate may have. */
export const SIGNS_DATA = x509.KeyUsageFlags.digitalSignature;
export const SIGNS_CERTIFICATES = x509.KeyUsageFlags.keyCertSign;
export const CA_USES: x509.KeyUsageFlags = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign;

/** What a test certificate is to be; what is left out is as a well-formed one has it. */
export interface CertificateOptions {
  readonly subject: string;
  /** Issuer's name when it is not that of the issuer's certificate. */
  readonly issuer?: string;
  readonly serial?: string;
  readonly from?: Date;
  readonly until?: Date;
  readonly ca?: boolean;
  readonly pathLength?: number;
  readonly uses?: x509.KeyUsageFlags;
  readonly extensions?: readonly x509.Extension[];
  readonly keys?: KeyPair;
  readonly algorithm?: typeof P384 | { readonly name: "RSASSA-PKCS1-v1_5"; readonly hash: string };
}

export interface Issued {
  readonly der: Uint8Array<ArrayBuffer>;
  readonly name: string;
  readonly keys: KeyPair;
}

export function ecKeys(namedCurve: "P-256" | "P-384" = "P-384"): Promise<KeyPair> {
  return webcrypto.subtle.generateKey({ name: "ECDSA", namedCurve }, true, ["sign", "verify"]);
}

/** Makes a certificate with a writer that is not this project's; self-signed without an issuer. */
export async function issue(options: CertificateOptions, by?: Issued): Promise<Issued> {
  const keys = options.keys ?? (await ecKeys());
  const extensions: x509.Extension[] = [...(options.extensions ?? [])];
  if (options.ca !== undefined)
    extensions.push(new x509.BasicConstraintsExtension(options.ca, options.pathLength, true));
  if (options.uses !== undefined) extensions.push(new x509.KeyUsagesExtension(options.uses, true));
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: options.serial === "00" ? "01" : (options.serial ?? "01"),
    subject: options.subject,
    issuer: options.issuer ?? by?.name ?? options.subject,
    notBefore: options.from ?? FROM,
    notAfter: options.until ?? UNTIL,
    publicKey: keys.publicKey,
    signingKey: by?.keys.privateKey ?? keys.privateKey,
    signingAlgorithm: options.algorithm ?? P384,
    extensions,
  });
  const der = new Uint8Array(certificate.rawData);
  const signer = by?.keys.privateKey ?? keys.privateKey;
  return { der: options.serial === "00" ? withSerialZero(der, signer) : der, name: options.subject, keys };
}

/** Where the content of DER that begins at an offset starts, and where it ends. */
function contentOf(bytes: Buffer, at: number): readonly [start: number, end: number] {
  const first = bytes.readUInt8(at + 1);
  if (first < 0x80) return [at + 2, at + 2 + first];
  const start = at + 2 + (first & 0x7f);
  return [start, start + bytes.readUIntBE(at + 2, first & 0x7f)];
}

/** The same certificate with the serial number zero, which the writer replaces by one of its own; signed by ECDSA over SHA-384. */
function withSerialZero(der: Uint8Array, signer: webcrypto.CryptoKey): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.from(der);
  const [signedStart] = contentOf(bytes, 0);
  const [fields, signedEnd] = contentOf(bytes, signedStart);
  // RFC 5280 section 4.1: version [0], then the serial number, here of one byte.
  bytes.writeUInt8(0, fields + 7);
  const [, algorithmEnd] = contentOf(bytes, signedEnd);
  const signature = sign("sha384", bytes.subarray(signedStart, signedEnd), KeyObject.from(signer));
  const content = [...bytes.subarray(signedStart, algorithmEnd), 3, signature.length + 1, 0, ...signature];
  return Uint8Array.from([0x30, 0x82, content.length >> 8, content.length & 0xff, ...content]);
}

/** What a test revocation list is to be. */
export interface ListOptions {
  readonly serials?: readonly string[];
  readonly from?: Date;
  readonly until?: Date;
  /** Issuer's name when it is not the signer's. */
  readonly issuer?: string;
  readonly extensions?: readonly x509.Extension[];
}

export async function issueList(by: Issued, options: ListOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
  const list = await x509.X509CrlGenerator.create({
    issuer: options.issuer ?? by.name,
    thisUpdate: options.from ?? FROM,
    nextUpdate: options.until ?? UNTIL,
    signingAlgorithm: P384,
    signingKey: by.keys.privateKey,
    entries: (options.serials ?? []).map((serialNumber) => ({ serialNumber, revocationDate: FROM })),
    extensions: [...(options.extensions ?? [])],
  });
  return new Uint8Array(list.rawData);
}
