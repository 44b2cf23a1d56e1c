import { DerReader, TAG } from "./der.ts";
import { booleanValue, oidText, smallInteger } from "./value.ts";

/** One extension (RFC 5280 section 4.2); `value` is the content of its OCTET STRING. */
export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Uint8Array;
}

/** Extensions one certificate, list or list entry may have. */
const MAX_EXTENSIONS = 64;

/** Reads `Extensions`; the same extension twice is refused, as readers differ on which one counts. */
export function readExtensions(reader: DerReader): ReadonlyMap<string, Extension> {
  const list = reader.enter(TAG.sequence);
  const found = new Map<string, Extension>();
  while (!list.empty) {
    if (found.size === MAX_EXTENSIONS) throw list.malformed("has too many extensions");
    const fields = list.enter(TAG.sequence);
    const oid = oidText(fields.next(TAG.oid).content);
    const flag = fields.optional(TAG.boolean);
    const { content } = fields.next(TAG.octetString);
    fields.end();
    if (found.has(oid)) throw list.malformed(`has extension ${oid} twice`);
    found.set(oid, { oid, critical: flag !== undefined && booleanValue(flag), value: content });
  }
  return found;
}

export interface BasicConstraints {
  readonly isCa: boolean;
  /** How many CA certificates may follow below; absent for any number. */
  readonly pathLength?: number;
}

/** RFC 5280 section 4.2.1.9. */
export function basicConstraints(value: Uint8Array): BasicConstraints {
  const outer = new DerReader(value, "basic constraints");
  const fields = outer.enter(TAG.sequence);
  outer.end();
  const flag = fields.optional(TAG.boolean);
  const isCa = flag !== undefined && booleanValue(flag);
  if (fields.empty) return { isCa };
  const pathLength = smallInteger(fields);
  fields.end();
  return { isCa, pathLength };
}

/** Uses of a key, in the order of their bits (RFC 5280 section 4.2.1.3). */
const USES = [
  "digitalSignature",
  "nonRepudiation",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign",
  "encipherOnly",
  "decipherOnly",
] as const;

export type KeyUse = (typeof USES)[number];

export function keyUses(value: Uint8Array): ReadonlySet<KeyUse> {
  const outer = new DerReader(value, "key usage");
  const { content } = outer.next(TAG.bitString);
  outer.end();
  const unused = content[0] ?? 0xff;
  if (unused > 7 || content.length > 3) throw outer.malformed("is no key usage");
  const bits = content.subarray(1);
  return new Set(USES.filter((_, bit) => ((bits[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0));
}

/** The nested element an issuing distribution point may have here: a plain distribution point (RFC 5280 section 5.2.5). */
const DISTRIBUTION_POINT_TAG = 0xa0;

/** True when an issuing distribution point says no more than where the list is: no indirect list, no part of one. */
export function isWholeList(value: Uint8Array): boolean {
  const outer = new DerReader(value, "an issuing distribution point");
  const fields = outer.enter(TAG.sequence);
  outer.end();
  fields.optional(DISTRIBUTION_POINT_TAG);
  return fields.empty;
}

/** Object identifiers of an extended key usage (RFC 5280 section 4.2.1.12). */
export function extendedKeyUses(value: Uint8Array): ReadonlySet<string> {
  const outer = new DerReader(value, "extended key usage");
  const purposes = outer.enter(TAG.sequence);
  outer.end();
  const found = new Set<string>();
  while (!purposes.empty) found.add(oidText(purposes.next(TAG.oid).content));
  return found;
}
