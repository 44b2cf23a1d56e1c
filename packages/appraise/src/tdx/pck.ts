import { CmcpError, toHex } from "@cmcp/boundary";
import { DerReader, TAG } from "../x509/der.ts";
import { oidText, smallInteger } from "../x509/value.ts";
import type { Certificate } from "../x509/certificate.ts";

/** Intel's SGX extension of a PCK certificate (SGX PCK Certificate and CRL Profile, section 1.3.5). */
export const SGX_EXTENSION = "1.2.840.113741.1.13.1";
const TCB = `${SGX_EXTENSION}.2`;
const PCEID = `${SGX_EXTENSION}.3`;
const FMSPC = `${SGX_EXTENSION}.4`;
/** Components 1 to 16 are TCB.1 to TCB.16, PCESVN is TCB.17, the raw CPUSVN TCB.18. */
const COMPONENTS = 16;
const PCESVN = `${TCB}.${COMPONENTS + 1}`;

/** Fields the extension, or its TCB, may have. */
const MAX_FIELDS = 32;

/** What a PCK certificate says of its platform. */
export interface PckPlatform {
  /** Security version numbers of the 16 SGX TCB components, 0 to 255 each. */
  readonly components: readonly number[];
  readonly pceSvn: number;
  /** Two bytes, lowercase hex. */
  readonly pceId: string;
  /** Family, model, stepping, platform and custom SKU: six bytes, lowercase hex. */
  readonly fmspc: string;
}

function malformed(why: string): CmcpError {
  return new CmcpError("EVIDENCE_MALFORMED", `the PCK certificate's SGX extension ${why}`);
}

/** Reads the SGX extension. Throws `EVIDENCE_MALFORMED`, also when there is none. */
export function pckPlatform(certificate: Certificate): PckPlatform {
  const extension = certificate.extension(SGX_EXTENSION);
  if (extension === undefined) throw malformed("is absent");
  const outer = new DerReader(extension, "the PCK certificate's SGX extension");
  const fields = readFields(outer.enter(TAG.sequence));
  outer.end();
  const tcb = readFields(required(fields, TCB).enter(TAG.sequence));
  const components = Array.from({ length: COMPONENTS }, (_, index) => svn(tcb, `${TCB}.${index + 1}`, 0xff));
  return {
    components,
    pceSvn: svn(tcb, PCESVN, 0xffff),
    pceId: octets(fields, PCEID, 2),
    fmspc: octets(fields, FMSPC, 6),
  };
}

/** SEQUENCE OF SEQUENCE { OBJECT IDENTIFIER, value }; each value as a reader of its own. */
function readFields(list: DerReader): ReadonlyMap<string, DerReader> {
  const found = new Map<string, DerReader>();
  while (!list.empty) {
    if (found.size === MAX_FIELDS) throw malformed("has too many fields");
    const pair = list.enter(TAG.sequence);
    const oid = oidText(pair.next(TAG.oid).content);
    if (found.has(oid)) throw malformed(`has ${oid} twice`);
    found.set(oid, new DerReader(pair.next().whole, `${oid} of the PCK certificate's SGX extension`));
    pair.end();
  }
  return found;
}

function required(fields: ReadonlyMap<string, DerReader>, oid: string): DerReader {
  const reader = fields.get(oid);
  if (reader === undefined) throw malformed(`lacks ${oid}`);
  return reader;
}

function svn(fields: ReadonlyMap<string, DerReader>, oid: string, largest: number): number {
  const value = smallInteger(required(fields, oid));
  if (value > largest) throw malformed(`has ${value} for ${oid}`);
  return value;
}

function octets(fields: ReadonlyMap<string, DerReader>, oid: string, length: number): string {
  const { content } = required(fields, oid).next(TAG.octetString);
  if (content.length !== length) throw malformed(`has ${content.length} bytes for ${oid}`);
  return toHex(content);
}
