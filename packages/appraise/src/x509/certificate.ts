import { CmcpError, toHex } from "@cmcp/boundary";
import type { SignatureAlgorithm } from "./algorithm.ts";
import { contextTag, DerReader, TAG } from "./der.ts";
import { readEnvelope } from "./envelope.ts";
import {
  basicConstraints,
  extendedKeyUses,
  keyUses,
  readExtensions,
  type Extension,
  type KeyUse,
} from "./extension.ts";
import { readName } from "./name.ts";
import type { Signed } from "./signature.ts";
import { integerBytes, smallInteger, timeValue } from "./value.ts";

/** Largest certificate that is read, in bytes. */
export const MAX_CERTIFICATE_BYTES = 16 * 1024;

const BASIC_CONSTRAINTS = "2.5.29.19";
const KEY_USAGE = "2.5.29.15";
const EXTENDED_KEY_USAGE = "2.5.29.37";

/**
 * Critical extensions that are understood: those read here, and the subject's alternative names, which a TPM's
 * certificate has in place of a subject and which are no part of a path.
 */
const UNDERSTOOD: ReadonlySet<string> = new Set([BASIC_CONSTRAINTS, KEY_USAGE, EXTENDED_KEY_USAGE, "2.5.29.17"]);

/** Version 3, as the field is encoded (RFC 5280 section 4.1.2.1). */
const V3 = 2;

/** An X.509 version 3 certificate (RFC 5280), read but not verified. */
export class Certificate implements Signed {
  readonly raw: Uint8Array;
  /** The signed bytes: TBSCertificate with tag and length. */
  readonly tbs: Uint8Array;
  readonly algorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
  /** The serial number's content bytes, hex; genuine ones may be zero. */
  readonly serialHex: string;
  /** Distinguished names as DER; compared byte for byte. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** The same for readers, in the order of the certificate, without control characters. */
  readonly issuerText: string;
  readonly subjectText: string;
  /** The subject's one common name; `undefined` for none or several. */
  readonly commonName: string | undefined;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** SubjectPublicKeyInfo as DER. */
  readonly spki: Uint8Array;
  readonly isCa: boolean;
  readonly pathLength: number | undefined;
  /** `undefined` when the certificate does not restrict its key. */
  readonly keyUsage: ReadonlySet<KeyUse> | undefined;
  readonly extendedKeyUsage: ReadonlySet<string> | undefined;
  /** Critical extensions this reader does not understand; a path with one of them is refused. */
  readonly unknownCritical: readonly string[];
  readonly #extensions: ReadonlyMap<string, Extension>;

  private constructor(raw: Uint8Array) {
    this.raw = raw;
    const { tbs, algorithm, signature, fields, repeatAlgorithm } = readEnvelope(raw, "a certificate");
    this.tbs = tbs;
    this.algorithm = algorithm;
    this.signature = signature;
    const version = fields.enter(contextTag(0));
    if (smallInteger(version) !== V3) throw version.malformed("is not of version 3");
    version.end();
    this.serialHex = toHex(integerBytes(fields));
    repeatAlgorithm();
    this.issuer = fields.next(TAG.sequence).whole;
    this.issuerText = readName(this.issuer).text;
    const validity = fields.enter(TAG.sequence);
    this.notBefore = timeValue(validity.next());
    this.notAfter = timeValue(validity.next());
    validity.end();
    this.subject = fields.next(TAG.sequence).whole;
    const subject = readName(this.subject);
    this.subjectText = subject.text;
    this.commonName = subject.commonName;
    this.spki = fields.next(TAG.sequence).whole;
    fields.optional(contextTag(1, false));
    fields.optional(contextTag(2, false));
    const extensions = fields.optional(contextTag(3));
    fields.end();
    this.#extensions = extensions === undefined ? new Map<string, Extension>() : allExtensions(extensions.content);

    const constraints = this.#read(BASIC_CONSTRAINTS, basicConstraints);
    this.isCa = constraints?.isCa ?? false;
    this.pathLength = constraints?.pathLength;
    this.keyUsage = this.#read(KEY_USAGE, keyUses);
    this.extendedKeyUsage = this.#read(EXTENDED_KEY_USAGE, extendedKeyUses);
    this.unknownCritical = [...this.#extensions.values()]
      .filter(({ oid, critical }) => critical && !UNDERSTOOD.has(oid))
      .map(({ oid }) => oid);
  }

  /**
   * Reads one DER certificate, at most {@link MAX_CERTIFICATE_BYTES}, nothing behind it.
   *
   * @throws CmcpError `EVIDENCE_MALFORMED`.
   */
  static parse(der: Uint8Array): Certificate {
    if (der.length > MAX_CERTIFICATE_BYTES)
      throw new CmcpError("EVIDENCE_MALFORMED", `a certificate is ${der.length} bytes, limit ${MAX_CERTIFICATE_BYTES}`);
    return new Certificate(Uint8Array.from(der));
  }

  /** Content of an extension's OCTET STRING, by dotted object identifier. */
  extension(oid: string): Uint8Array | undefined {
    return this.#extensions.get(oid)?.value;
  }

  #read<T>(oid: string, read: (value: Uint8Array) => T): T | undefined {
    const value = this.extension(oid);
    return value === undefined ? undefined : read(value);
  }
}

function allExtensions(content: Uint8Array): ReadonlyMap<string, Extension> {
  const reader = new DerReader(content, "a certificate");
  const found = readExtensions(reader);
  reader.end();
  return found;
}
