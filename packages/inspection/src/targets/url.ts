import { normaliseHost } from "./host.ts";
import { MAX_NESTED_URLS, MAX_TARGET_LENGTH } from "./limits.ts";
import { normalisePath } from "./path.ts";

/** A URL in the one form that rules compare. */
export interface NormalUrl {
  /** Without user information and fragment; empty if it could not be read. */
  readonly url: string;
  /** Lower case. */
  readonly scheme: string;
  /** See `normaliseHost`; empty if the URL has none. */
  readonly host: string;
  /** As written or by the scheme; 0 if neither says. */
  readonly port: number;
  /** Decoded and without `.` and `..`; empty if the scheme has no paths. */
  readonly path: string;
  /** Hosts of other readings, and of URLs inside this one. */
  readonly otherHosts: readonly string[];
  /** Schemes of URLs inside this one. */
  readonly otherSchemes: readonly string[];
  readonly escapes: boolean;
  /** False if the URL could not be read, or if readers differ on its host. */
  readonly complete: boolean;
}

const PORTS: Readonly<Record<string, number>> = { http: 80, https: 443, ws: 80, wss: 443, ftp: 21, file: 0 };
const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]*):/;
const SPACE = 0x20;
const NOT_IN_PATHS = /[^A-Za-z0-9\-._~!$&'()*+,;=:@/]/gu;

/** What WHATWG URL leaves out before it reads: control characters and spaces around the text, tabs and line ends inside. */
export function withoutIgnored(raw: string): string {
  let [start, end] = [0, raw.length];
  // Beyond either end is no character, so both end there.
  while (raw.charCodeAt(start) <= SPACE) start += 1;
  while (raw.charCodeAt(end - 1) <= SPACE) end -= 1;
  return raw.slice(start, end).replaceAll(/[\t\n\r]/g, "");
}

/** The host of RFC 3986 section 3.2, and whether the authority has more than one `@`. */
function authorityOf(rest: string): { readonly host: string; readonly doubled: boolean } | null {
  const [, authority] = /^\/\/([^/?#]*)/.exec(rest) ?? [];
  if (authority === undefined) return null;
  const parts = authority.split("@");
  return { host: (parts.at(-1) ?? "").replace(/:[0-9]*$/, ""), doubled: parts.length > 2 };
}

/**
 * The path as written, where WHATWG URL finds it: it takes backslashes, and any number of slashes, for two slashes in
 * the schemes it knows.
 */
function writtenPath(rest: string, isSpecial: boolean): string {
  const form = isSpecial ? /^[/\\]*[^/\\?#]*([^?#]*)/ : /^\/\/[^/?#]*([^?#]*)/;
  const path = form.exec(rest)?.[1] ?? "";
  return path === "" ? "/" : path;
}

function unreadable(scheme: string): NormalUrl {
  return {
    url: "",
    scheme,
    host: "",
    port: 0,
    path: "",
    otherHosts: [],
    otherSchemes: [],
    escapes: false,
    complete: false,
  };
}

/** A URL without an authority: its scheme counts, and the URL inside it. */
function opaqueUrl(scheme: string, { href, hash }: URL, rest: string, depth: number): NormalUrl {
  const url = hash === "" ? href : href.slice(0, -hash.length);
  const own = { ...unreadable(scheme), url, complete: url.length <= MAX_TARGET_LENGTH };
  if (!SCHEME.test(withoutIgnored(rest))) return own;
  if (depth >= MAX_NESTED_URLS) return { ...own, complete: false };
  // `jar:` names an entry of its file behind an exclamation mark.
  const inner = normaliseUrl(rest.replace(/!\/.*$/s, ""), depth + 1);
  return {
    ...own,
    otherHosts: [inner.host, ...inner.otherHosts].filter((host) => host !== ""),
    otherSchemes: [inner.scheme, ...inner.otherSchemes],
    escapes: inner.escapes,
    complete: own.complete && inner.complete,
  };
}

/**
 * Brings a URL with a scheme into the one form that rules compare. The host is read as WHATWG URL and as RFC 3986 would. Where the two
 * differ both count, and the URL is not complete.
 */
export function normaliseUrl(raw: string, depth = 0): NormalUrl {
  const cleaned = withoutIgnored(raw);
  const scheme = SCHEME.exec(cleaned)?.[1]?.toLowerCase() ?? "";
  const url = raw.length > MAX_TARGET_LENGTH || !raw.isWellFormed() ? null : URL.parse(cleaned);
  if (url === null) return unreadable(scheme);
  const rest = cleaned.slice(scheme.length + 1);
  const isSpecial = Object.hasOwn(PORTS, scheme);
  if (!isSpecial && !rest.startsWith("//")) return opaqueUrl(scheme, url, rest, depth);
  const authority = authorityOf(rest);
  const host = url.hostname === "" ? "" : normaliseHost(url.hostname);
  if (host === null) return unreadable(scheme);
  const other = authority === null || authority.host === "" ? "" : normaliseHost(authority.host);
  const isLocal = scheme === "file" && other === "localhost";
  const agreed =
    (other === host || isLocal) && (scheme === "file" || authority !== null) && authority?.doubled !== true;
  const { path, escapes, complete } = normalisePath(scheme === "file" ? url.pathname : writtenPath(rest, isSpecial));
  const port = url.port === "" ? (PORTS[scheme] ?? 0) : Number(url.port);
  const named = host.includes(":") ? `[${host}]` : host;
  const at = `${path.startsWith("/") ? "" : "/"}${path.replaceAll(NOT_IN_PATHS, encodeURIComponent)}`;
  const normal = `${scheme}://${named}${url.port === "" ? "" : `:${url.port}`}${at}${url.search}`;
  if (normal.length > MAX_TARGET_LENGTH) return unreadable(scheme);
  return {
    url: normal,
    scheme,
    host,
    port,
    path,
    otherHosts: other === null || other === "" || other === host || isLocal ? [] : [other],
    otherSchemes: [],
    escapes: escapes || cleaned !== raw.trim(),
    complete: complete && agreed,
  };
}
