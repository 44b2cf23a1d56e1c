import { createHash, timingSafeEqual } from "node:crypto";
import { CmcpError } from "@cmcp/boundary";

/** Where the page is, and the secret part of its address. */
export interface PageAddress {
  /** `http://localhost` and the port. */
  readonly origin: string;
  readonly secret: string;
}

/** What a request says of itself. */
export interface GuardedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/**
 * Lets in requests of the page alone. A name that was bound to this machine has another `Host` (DNS rebinding). A page of another origin or
 * port says so in `Origin` or `Sec-Fetch-Site`, which no script can set (Fetch standard, section 2.2.2). Other programs and users of this machine do not
 * know the secret.
 *
 * @returns the path below the secret
 * @throws CmcpError `ORIGIN_NOT_ALLOWED`, `NOT_FOUND`
 */
export function guardedPath({ method, url, headers }: GuardedRequest, { origin, secret }: PageAddress): string {
  const { host, origin: from, "sec-fetch-site": site, "content-type": type } = headers;
  if (host !== new URL(origin).host) throw refused("the page has another name");
  const isRead = method === "GET" || method === "HEAD";
  if (from === undefined ? !isRead : from !== origin) throw refused("another page asked");
  if (site !== undefined && site !== "same-origin" && !(site === "none" && isRead)) throw refused("another page asked");
  // A form of another page can send neither this type nor an origin of its choice.
  if (!isRead && type !== "application/json") throw refused("a form asked");
  const [, given = "", path] = /^\/([^/?#]*)\/([^?#]*)$/.exec(url) ?? [];
  if (path === undefined || !isEqual(given, secret))
    throw new CmcpError("NOT_FOUND", "nothing is here: open the address that the command printed, whole");
  return path;
}

/** Whether two texts are equal, in a time that does not say where they differ. */
function isEqual(given: string, secret: string): boolean {
  const [one, other] = [given, secret].map((text) => createHash("sha256").update(text).digest());
  return one !== undefined && other !== undefined && timingSafeEqual(one, other);
}

function refused(why: string): CmcpError {
  return new CmcpError("ORIGIN_NOT_ALLOWED", `this page answers itself alone: ${why}`);
}
