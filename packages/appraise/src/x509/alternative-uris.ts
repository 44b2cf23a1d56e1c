import type { Certificate } from "./certificate.ts";
import { contextTag, DerReader, TAG } from "./der.ts";

const ALTERNATIVE_NAMES = "2.5.29.17";
/** `uniformResourceIdentifier [6] IA5String` (RFC 5280 section 4.2.1.6). */
const URI = contextTag(6, false);
/** Alternative names of one certificate. */
const MAX_NAMES = 256;

/**
 * The URIs among a certificate's alternative names, each byte as one character.
 * @throws CmcpError `EVIDENCE_MALFORMED`
 */
export function alternativeUris(certificate: Pick<Certificate, "extension">): readonly string[] {
  const value = certificate.extension(ALTERNATIVE_NAMES);
  if (value === undefined) return [];
  const outer = new DerReader(value, "alternative names");
  const names = outer.enter(TAG.sequence);
  outer.end();
  const uris: string[] = [];
  for (let read = 0; !names.empty; read += 1) {
    if (read === MAX_NAMES) throw names.malformed("have too many members");
    const { tag, content } = names.next();
    if (tag === URI) uris.push(String.fromCharCode(...content));
  }
  return uris;
}
