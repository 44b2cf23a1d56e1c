import { createHash, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { isIPv4 } from "node:net";
import { derElement as der, derInteger, derSequence as sequence } from "@cmcp/boundary";

const oid = (hex: string): Uint8Array => der(0x06, Buffer.from(hex, "hex"));
const bitString = (bytes: Uint8Array): Uint8Array => der(0x03, Uint8Array.of(0), bytes);
const octets = (...content: readonly Uint8Array[]): Uint8Array => der(0x04, ...content);
const ECDSA_WITH_SHA256 = sequence(oid("2a8648ce3d040302"));
const COMMON_NAME = oid("550403");
const TRUE = der(0x01, Uint8Array.of(0xff));
/** id-kp-serverAuth and id-kp-clientAuth (RFC 5280 section 4.2.1.12). */
const USAGES = { server: oid("2b06010505070301"), client: oid("2b06010505070302") };
const DAY = 86_400_000;

function utcTime(date: Date): Uint8Array {
  return der(0x17, Buffer.from(date.toISOString().replace(/^..(..)-(..)-(..)T(..):(..):(..).*$/, "$1$2$3$4$5$6Z")));
}

function altName(host: string): Uint8Array {
  return isIPv4(host) ? der(0x87, Buffer.from(host.split(".").map(Number))) : der(0x82, Buffer.from(host));
}

function distinguishedName(commonName: string): Uint8Array {
  return sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from(commonName)))));
}

/** RFC 5280 section 4.2.1: an extension, which is critical for an authority. */
function extension(id: string, value: Uint8Array, critical = false): Uint8Array {
  return sequence(oid(id), ...(critical ? [TRUE] : []), octets(value));
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

/** What a certificate says. */
interface CertificateFields {
  readonly subject: string;
  readonly key: TestKey;
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
  /** Alternative names: host names and IPv4 addresses. */
  readonly hosts?: readonly string[];
  /** An authority's. */
  readonly authority?: boolean;
  /** What an authority may name at most: a DNS subtree. */
  readonly permitted?: string;
  readonly usage?: keyof typeof USAGES;
  /** Uniform resource identifiers among the alternative names. */
  readonly uris?: readonly string[];
  /** The first byte of the key usage (RFC 5280 section 4.2.1.3): 0x80 signs, 0x04 signs certificates, 0x02 lists of revoked ones. */
  readonly keyUsage?: number;
}

let serial = 1;

/** A certificate (RFC 5280), signed by a key, in PEM. */
function certificate(fields: CertificateFields, issuer: string, issuerKey: TestKey): string {
  const { subject, key, hosts = [], uris = [], authority = false, permitted, usage, keyUsage } = fields;
  const names = [...hosts.map(altName), ...uris.map((uri) => der(0x86, Buffer.from(uri)))];
  const { from = new Date(Date.now() - DAY), to = new Date(Date.now() + DAY) } = fields;
  const extensions = [
    ...(authority ? [extension("551d13", sequence(TRUE), true)] : []),
    ...(permitted === undefined
      ? []
      : [extension("551d1e", sequence(der(0xa0, sequence(der(0x82, Buffer.from(permitted))))), true)]),
    ...(usage === undefined ? [] : [extension("551d25", sequence(USAGES[usage]))]),
    ...(keyUsage === undefined ? [] : [extension("551d0f", der(0x03, Uint8Array.of(0, keyUsage)), true)]),
    ...(names.length === 0 ? [] : [extension("551d11", sequence(...names))]),
  ];
  serial += 1;
  const tbs = sequence(
    der(0xa0, der(0x02, Uint8Array.of(2))),
    derInteger(Uint8Array.of(serial >> 8, serial & 0xff)),
    ECDSA_WITH_SHA256,
    distinguishedName(issuer),
    sequence(utcTime(from), utcTime(to)),
    distinguishedName(subject),
    key.publicKey.export({ type: "spki", format: "der" }),
    ...(extensions.length === 0 ? [] : [der(0xa3, sequence(...extensions))]),
  );
  const whole = sequence(tbs, ECDSA_WITH_SHA256, bitString(sign("sha256", tbs, issuerKey.privateKey)));
  const lines = Buffer.from(whole)
    .toString("base64")
    .replace(/.{1,64}/g, "$&\n");
  return `-----BEGIN CERTIFICATE-----\n${lines}-----END CERTIFICATE-----\n`;
}

function pemOf({ privateKey }: TestKey): string {
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** A self-signed certificate for one host name or IPv4 address, in PEM, with its key. */
export function selfSigned(
  key: TestKey,
  host: string,
  dates: { from?: Date; to?: Date } = {},
): { cert: string; key: string } {
  const name = "tool server";
  return { cert: certificate({ subject: name, key, hosts: [host], ...dates }, name, key), key: pemOf(key) };
}

/** A certificate authority of a test. */
export class TestAuthority {
  readonly name: string;
  readonly key: TestKey;
  /** Its certificate, PEM. */
  readonly certificate: string;
  /** What a server sends beside its own certificate, PEM: this authority and those above it, but for the root. */
  readonly chain: string;

  private constructor(own: Pick<TestAuthority, "name" | "key" | "certificate" | "chain">) {
    this.name = own.name;
    this.key = own.key;
    this.certificate = own.certificate;
    this.chain = own.chain;
  }

  /** A root, of a key that may have been another root's. */
  static root(name: string, rest: Partial<CertificateFields> = {}): TestAuthority {
    const key = rest.key ?? testKey();
    const own = certificate({ authority: true, ...rest, subject: name, key }, name, key);
    return new TestAuthority({ name, key, certificate: own, chain: "" });
  }

  /** An authority that this one vouches for. */
  authority(name: string, rest: Partial<CertificateFields> = {}): TestAuthority {
    const key = rest.key ?? testKey();
    const own = certificate({ authority: true, ...rest, subject: name, key }, this.name, this.key);
    return new TestAuthority({ name, key, certificate: own, chain: own + this.chain });
  }

  /** A server's certificate with its chain, PEM, and its key: for the hosts. */
  issue(
    hosts: readonly string[],
    rest: Partial<CertificateFields> = {},
  ): { readonly cert: string; readonly key: string; readonly pin: Buffer; readonly leaf: string } {
    const key = rest.key ?? testKey();
    const leaf = certificate({ subject: "tool server", ...rest, key, hosts }, this.name, this.key);
    return { cert: leaf + this.chain, key: pemOf(key), pin: key.pin, leaf };
  }
}
