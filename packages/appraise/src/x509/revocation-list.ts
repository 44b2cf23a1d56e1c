import { CmcpError, toHex } from "@cmcp/boundary";
import type { SignatureAlgorithm } from "./algorithm.ts";
import { derOfText } from "./der-text.ts";
import { contextTag, DerReader, TAG } from "./der.ts";
import { readEnvelope } from "./envelope.ts";
import { isWholeList, readExtensions } from "./extension.ts";
import { readName } from "./name.ts";
import { looksLikePem, pemBlocks } from "./pem.ts";
import type { Signed } from "./signature.ts";
import { integerBytes, smallInteger, timeValue } from "./value.ts";

/** Largest list that is read, in bytes, and the entries it may have. */
export const MAX_LIST_BYTES = 1024 * 1024;
const MAX_ENTRIES = 20_000;

const ISSUING_DISTRIBUTION_POINT = "2.5.29.28";
const V2 = 1;

/** An X.509 version 2 certificate revocation list (RFC 5280 section 5), read but not verified. */
export class RevocationList implements Signed {
  readonly raw: Uint8Array;
  readonly tbs: Uint8Array;
  readonly algorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
  /** Distinguished name as DER. */
  readonly issuer: Uint8Array;
  readonly issuerText: string;
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  readonly #serials = new Set<string>();

  private constructor(raw: Uint8Array) {
    this.raw = raw;
    const { tbs, algorithm, signature, fields, repeatAlgorithm } = readEnvelope(raw, "a revocation list");
    this.tbs = tbs;
    this.algorithm = algorithm;
    this.signature = signature;
    if (smallInteger(fields) !== V2) throw fields.malformed("is not of version 2");
    repeatAlgorithm();
    this.issuer = fields.next(TAG.sequence).whole;
    this.issuerText = readName(this.issuer).text;
    this.thisUpdate = timeValue(fields.next());
    // RFC 5280 section 5.1.2.5 requires nextUpdate; a list without one could never be stale.
    this.nextUpdate = timeValue(fields.next());
    const entries = fields.optional(TAG.sequence);
    if (entries !== undefined) this.#readEntries(new DerReader(entries.content, "a revocation list"));
    const extensions = fields.optional(contextTag(0));
    fields.end();
    if (extensions !== undefined) refuseParts(extensions.content);
  }

  /**
   * Reads one list, DER, PEM, hex or base64, at most {@link MAX_LIST_BYTES}. Delta and indirect lists and those of a part of
   * an issuer's certificates are refused: what they do not name is not thereby good.
   *
   * @throws CmcpError `EVIDENCE_MALFORMED`.
   */
  static parse(bytes: Uint8Array): RevocationList {
    const der = looksLikePem(bytes)
      ? pemBlocks(bytes, "X509 CRL", { blocks: 1, bytes: 2 * MAX_LIST_BYTES })[0]
      : (derOfText(bytes, MAX_LIST_BYTES) ?? bytes);
    if (der === undefined || der.length > MAX_LIST_BYTES)
      throw new CmcpError("EVIDENCE_MALFORMED", `no revocation list, or one above ${MAX_LIST_BYTES} bytes`);
    return new RevocationList(Uint8Array.from(der));
  }

  get size(): number {
    return this.#serials.size;
  }

  /** True when the list names this serial number, as `Certificate.serialHex` writes it. */
  revokes(serialHex: string): boolean {
    return this.#serials.has(serialHex);
  }

  #readEntries(entries: DerReader): void {
    while (!entries.empty) {
      if (this.#serials.size === MAX_ENTRIES) throw entries.malformed("has too many entries");
      const entry = entries.enter(TAG.sequence);
      this.#serials.add(toHex(integerBytes(entry)));
      timeValue(entry.next());
      if (!entry.empty)
        for (const { oid, critical } of readExtensions(entry).values())
          if (critical) throw entries.malformed(`has an entry with critical extension ${oid}`);
      entry.end();
    }
  }
}

function refuseParts(content: Uint8Array): void {
  const reader = new DerReader(content, "a revocation list");
  for (const { oid, critical, value } of readExtensions(reader).values()) {
    if (critical && !(oid === ISSUING_DISTRIBUTION_POINT && isWholeList(value)))
      throw reader.malformed(`has critical extension ${oid}`);
  }
  reader.end();
}
