import { generateKeyPairSync, hash, randomBytes, sign, type KeyObject } from "node:crypto";
import { derElement, derInteger, derSequence, toBase64Url } from "@cmcp/boundary";

const TAG = { bitString: 0x03, octetString: 0x04, oid: 0x06, utf8String: 0x0c, set: 0x31, utcTime: 0x17, time: 0x18 };
const oid = (hex: string): Uint8Array => derElement(TAG.oid, Buffer.from(hex, "hex"));
const text = (tag: number, value: string): Uint8Array => derElement(tag, Buffer.from(value, "latin1"));
const TRUE = derElement(0x01, Uint8Array.of(0xff));

/** ecdsa-with-SHA256 (RFC 5758 section 3.2). */
const ALGORITHM = derSequence(oid("2a8648ce3d040302"));
/** The certificate is as long valid as the instance runs, whatever its clock says (RFC 5280 section 4.1.2.5). */
const VALIDITY = derSequence(text(TAG.utcTime, "240101000000Z"), text(TAG.time, "99991231235959Z"));
const COMMON_NAME = oid("550403");
/** No authority, for signatures only, and for TLS clients (RFC 5280 section 4.2.1). */
const EXTENSIONS = derElement(
  0xa3,
  derSequence(
    derSequence(oid("551d13"), TRUE, derElement(TAG.octetString, derSequence())),
    derSequence(oid("551d0f"), TRUE, derElement(TAG.octetString, derElement(TAG.bitString, Uint8Array.of(7, 0x80)))),
    derSequence(oid("551d25"), derElement(TAG.octetString, derSequence(oid("2b06010505070302")))),
  ),
);
const VERSION_3 = derElement(0xa0, derInteger(Uint8Array.of(2)));

/**
 * The certificate that the instance shows to tool servers which ask for one: a P-256 key of its own, which never leaves this process,
 * and a certificate signed with it. Its trust comes from the instance's report, which names the key, and from no authority.
 */
export class ClientCertificate {
  /** The certificate, PEM. */
  readonly certificate: string;
  /** The private key, PKCS #8 in PEM, as TLS takes it. */
  readonly privateKey: string;
  /** SHA-256 of the key's SubjectPublicKeyInfo, base64url: what the instance's report names. */
  readonly spkiSha256: string;

  /** @param commonName the instance's name, at most 64 characters */
  constructor(commonName: string) {
    const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const spki = pair.publicKey.export({ type: "spki", format: "der" });
    this.spkiSha256 = toBase64Url(hash("sha256", spki, "buffer"));
    this.privateKey = pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    this.certificate = selfSigned(commonName, spki, pair.privateKey);
  }
}

function selfSigned(commonName: string, spki: Uint8Array, key: KeyObject): string {
  const name = derSequence(derElement(TAG.set, derSequence(COMMON_NAME, text(TAG.utf8String, commonName))));
  const serial = derInteger(randomBytes(16));
  const toSign = derSequence(VERSION_3, serial, ALGORITHM, name, VALIDITY, name, spki, EXTENSIONS);
  const signature = derElement(TAG.bitString, Uint8Array.of(0), sign("sha256", toSign, key));
  const base64 = Buffer.from(derSequence(toSign, ALGORITHM, signature)).toString("base64");
  // No line is empty (RFC 7468 section 3), as the last one would be after whole lines: OpenSSL reads no such certificate.
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{1,64}/g, "$&\n")}-----END CERTIFICATE-----\n`;
}
