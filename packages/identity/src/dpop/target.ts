const ENDPOINT = "/mcp";

/**
 * The addresses that a request to a path of this gateway can have, from the measured resource: what a proof's `htu` is
 * held to. The host's word for where a request came does not count.
 */
export function requestTargets(resource: string, path: string): readonly string[] {
  const { origin, pathname } = new URL(resource);
  const base = pathname.endsWith(ENDPOINT) ? pathname.slice(0, -ENDPOINT.length) : pathname.replace(/\/$/, "");
  const target = new URL(`${origin}${base}${path}`).href;
  return path === ENDPOINT ? [target, new URL(resource).href] : [target];
}

/**
 * An `htu` as it is compared: without query and fragment, after normalisation of syntax and scheme (RFC 9449 section
 * 4.3, RFC 3986 sections 6.2.2 and 6.2.3); `null` for what is no address.
 */
export function normalAddress(text: string): string | null {
  const url = URL.parse(text);
  if (url === null || url.username !== "" || url.password !== "") return null;
  url.search = "";
  url.hash = "";
  return url.href;
}
