import { fromBase64Url, isJsonObject, parseJson, untrusted, type JsonObject } from "@cmcp/boundary";
import { ALGORITHMS, type Algorithm } from "./algorithms.ts";
import { tokenFault, type TokenFault } from "./fault.ts";

/**
 * What of a JOSE header counts. Keys and URLs of keys in it are the sender's and are not looked at (RFC 7515 section
 * 10.5 leaves that to us).
 */
export interface JwtHeader {
  readonly alg: Algorithm;
  /** Without `application/`, as written (RFC 7515 section 4.1.9); `null` where there is none. */
  readonly typ: string | null;
  readonly kid: string | null;
}

/** Reads one base64url part as strict JSON: no key twice, nothing two readers could take differently. */
export function readPart(part: string, fault: TokenFault): JsonObject {
  const bytes = fromBase64Url(part);
  if (bytes === undefined) throw tokenFault("form");
  const value = readObject(bytes);
  if (value === null) throw tokenFault(fault);
  return value;
}

/** The strict JSON object in the bytes of a part; `null` for anything else. */
export function readObject(bytes: Uint8Array): JsonObject | null {
  try {
    const value = parseJson(untrusted(bytes), { maxBytes: bytes.byteLength, maxDepth: 8, maxItems: 1_024 });
    return isJsonObject(value) ? value : null;
  } catch {
    // Whoever sent it learns which part is wrong, and not where.
    return null;
  }
}

/**
 * @throws CmcpError `UNAUTHENTICATED`: reason `header` for extensions, `algorithm` for one that no configuration can
 * allow
 */
export function readHeader(part: string): JwtHeader {
  const { alg, typ, kid, crit } = readPart(part, "header");
  // RFC 7515 section 4.1.11: who does not implement an extension that is marked critical must refuse.
  if (crit !== undefined) throw tokenFault("header");
  const algorithm = ALGORITHMS.find((known) => known === alg);
  if (algorithm === undefined) throw tokenFault("algorithm");
  if (typ !== undefined && typeof typ !== "string") throw tokenFault("type");
  if (kid !== undefined && typeof kid !== "string") throw tokenFault("header");
  return { alg: algorithm, typ: typ?.replace(/^application\//i, "") ?? null, kid: kid ?? null };
}
