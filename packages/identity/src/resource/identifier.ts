const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;
const WELL_KNOWN = "/.well-known/oauth-protected-resource";

/**
 * Whether a text is a resource identifier (RFC 9728 section 1.2): an https URL without fragment, here without query
 * too. Plain http only on loopback.
 */
export function isResource(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || /[?#]/.test(text) || url.username !== "" || url.password !== "") return false;
  return url.protocol === "https:" || (url.protocol === "http:" && LOOPBACK.test(url.hostname));
}

/** URL of the metadata document of a resource: the well-known path between host and path (RFC 9728 section 3.1). */
export function metadataUrl(resource: string): string {
  const url = new URL(resource);
  const path = url.pathname === "/" ? "" : url.pathname;
  return `${url.origin}${WELL_KNOWN}${path}`;
}

/** Paths the document is served under: the one of the resource, and the bare one clients try next. */
export function metadataPaths(resource: string): readonly string[] {
  return [...new Set([new URL(metadataUrl(resource)).pathname, WELL_KNOWN])];
}
