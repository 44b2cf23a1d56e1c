import { MAX_CHALLENGE, MAX_URL } from "./limits.ts";
import { readScopes } from "./scopes.ts";

/** What a server says when it refuses a request for want of a token, or of a better one (RFC 6750 section 3, RFC 9728 section 5.1). */
export interface Challenge {
  readonly schemes: ReadonlySet<string>;
  /** URL of the protected resource metadata; `null` when it says none. */
  readonly resourceMetadata: string | null;
  readonly scopes: readonly string[] | null;
  readonly error: string | null;
}

/** One scheme with its parameters, or one more parameter of the last scheme (RFC 9110 section 11.6.1). */
const PART =
  /^[\t ,]*(?:([A-Za-z0-9!#$%&'*+.^_`|~-]+)[\t ]+(?=[A-Za-z0-9!#$%&'*+.^_`|~-]+[\t ]*=[\t ]*[^=,\t ]))?([A-Za-z0-9!#$%&'*+.^_`|~-]+)[\t ]*=[\t ]*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))/;
const BARE_SCHEME = /^[\t ,]*([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?=[\t ]*(?:,|$))/;

interface Parameters {
  readonly scheme: string;
  readonly values: Map<string, string>;
}

function schemesOf(header: string): Parameters[] {
  const found: Parameters[] = [];
  let rest = header;
  while (rest.trim() !== "") {
    const bare = BARE_SCHEME.exec(rest);
    const part = bare === null ? PART.exec(rest) : null;
    if (bare !== null) found.push({ scheme: (bare[1] ?? "").toLowerCase(), values: new Map() });
    else if (part === null) break;
    else {
      const [, scheme, name = "", quoted, token = ""] = part;
      if (scheme !== undefined) found.push({ scheme: scheme.toLowerCase(), values: new Map() });
      const value = quoted === undefined ? token : quoted.replaceAll(/\\(.)/g, "$1");
      const values = found.at(-1)?.values;
      if (values !== undefined && !values.has(name.toLowerCase())) values.set(name.toLowerCase(), value);
    }
    rest = rest.slice((bare ?? part)?.[0].length ?? rest.length);
  }
  return found;
}

/** Reads a `WWW-Authenticate` header, of which only the schemes of OAuth count; `null` where it names none of them. */
export function readChallenge(header: string | null): Challenge | null {
  if (header === null || header.length > MAX_CHALLENGE) return null;
  const oauth = schemesOf(header).filter(({ scheme }) => scheme === "bearer" || scheme === "dpop");
  if (oauth.length === 0) return null;
  const first = (name: string): string | null =>
    oauth.map(({ values }) => values.get(name)).find((value) => value !== undefined) ?? null;
  const metadata = first("resource_metadata");
  return {
    schemes: new Set(oauth.map(({ scheme }) => scheme)),
    resourceMetadata: metadata !== null && metadata.length <= MAX_URL ? metadata : null,
    scopes: readScopes(first("scope")),
    error: first("error"),
  };
}
