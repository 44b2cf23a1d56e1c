import { CmcpError } from "@cmcp/boundary";
import { FORWARDED_HEADERS } from "./headers.ts";

/** Where the enclave reads the host's word on the agent's client certificate. */
const ASSERTED = "x-cmcp-host-asserted-spiffe-id";
/** Envoy's header, whose elements say several things of a certificate; any other is the SPIFFE ID itself. */
const FORWARDED_CLIENT_CERT = "x-forwarded-client-cert";
const MAX_VALUE = 8_192;

/**
 * The name of the header in which the proxy before this host reports client certificates, by lower-case name.
 * @throws CONFIG_INVALID for what is no header name (RFC 9110 section 5.1), or is one that agents send
 */
export function peerIdentityHeader(name: string): string {
  const lower = name.toLowerCase();
  if (!/^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/.test(lower) || lower === ASSERTED || FORWARDED_HEADERS.has(lower))
    throw new CmcpError("CONFIG_INVALID", "CMCP_PEER_IDENTITY_HEADER must name a header of the proxy's own");
  return lower;
}

function refused(name: string, why: string): CmcpError {
  return new CmcpError("MCP_INVALID_REQUEST", `header ${name} ${why}`);
}

/** One pair of an element, quoted where it must be, with what parts it from the next. */
const PAIR = /\s*([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^;,"]*))(;|,|$)/y;

/**
 * The one URI of a forwarded certificate (Envoy, "x-forwarded-client-cert"): pairs with `;` between, the certificates
 * of hops with `,`.
 */
function uriOf(value: string): string {
  const uris: string[] = [];
  const pair = new RegExp(PAIR);
  while (pair.lastIndex < value.length) {
    const [, name, quoted, plain = "", end] = pair.exec(value) ?? [];
    if (name === undefined) throw refused(FORWARDED_CLIENT_CERT, "cannot be read");
    // Which hop's certificate is the agent's, nobody here knows.
    if (end === ",") throw refused(FORWARDED_CLIENT_CERT, "has the certificates of several hops");
    if (name.toLowerCase() === "uri") uris.push(quoted ?? plain);
  }
  const [uri] = uris;
  if (uri === undefined || uris.length !== 1) throw refused(FORWARDED_CLIENT_CERT, "names no single URI");
  return uri;
}

/**
 * The header that tells the enclave what the proxy before this host says of the agent's client certificate; none where
 * no such proxy is configured, or it says nothing.
 * @param rawHeaders names and values in turn, as node:http received them
 * @throws MCP_INVALID_REQUEST for a duplicate header, and for one that says more than one thing
 */
export function assertedIdentity(rawHeaders: readonly string[], header: string | undefined): Record<string, string> {
  if (header === undefined) return {};
  const values = rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === header);
  const [value] = values;
  if (value === undefined) return {};
  if (values.length > 1) throw refused(header, "was sent more than once");
  if (value.length > MAX_VALUE || !/^[\x20-\x7e]*$/.test(value))
    throw refused(header, "is too long, or holds bytes outside ASCII");
  return { [ASSERTED]: header === FORWARDED_CLIENT_CERT ? uriOf(value) : value };
}
