import { createHash, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { isIPv4 } from "node:net";

/** DER (X.690): tag, length, content. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const size = content.length;
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
const bitString = (bytes: Uint8Array): Buffer => der(0x03, Buffer.from([0]), bytes);
const ECDSA_WITH_SHA256 = sequence(der(0x06, Buffer.from("2a8648ce3d040302", "hex")));
const COMMON_NAME = der(0x06, Buffer.from("550403", "hex"));
const SUBJECT_ALT_NAME = der(0x06, Buffer.from("551d11", "hex"));

function utcTime(date: Date): Buffer {
  return der(0x17, Buffer.from(date.toISOString().replace(/^..(..)-(..)-(..)T(..):(..):(..).*$/, "$1$2$3$4$5$6Z")));
}

function altName(host: string): Buffer {
  return isIPv4(host) ? der(0x87, Buffer.from(host.split(".").map(Number))) : der(0x82, Buffer.from(host));
}

export interface TestKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** SHA-256 of the SubjectPublicKeyInfo. */
  readonly pin: Buffer;
}

export function testKey(): TestKey {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pin = createHash("sha256")
    .update(pair.publicKey.export({ type: "spki", format: "der" }))
    .digest();
  return { ...pair, pin };
}

/** A self-signed certificate (RFC 5280) for one host name or IPv4 address, in PEM, with its key. */
export function selfSigned(
  key: TestKey,
  host: string,
  dates: { from?: Date; to?: Date } = {},
): { cert: string; key: string } {
  const day = 86_400_000;
  const from = dates.from ?? new Date(Date.now() - day);
  const to = dates.to ?? new Date(Date.now() + day);
  const name = sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from("tool server")))));
  const tbs = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    ECDSA_WITH_SHA256,
    name,
    sequence(utcTime(from), utcTime(to)),
    name,
    key.publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(sequence(SUBJECT_ALT_NAME, der(0x04, sequence(altName(host)))))),
  );
  const certificate = sequence(tbs, ECDSA_WITH_SHA256, bitString(sign("sha256", tbs, key.privateKey)));
  const base64 = certificate.toString("base64").replace(/.{64}/g, "$&\n");
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`,
    key: key.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}
