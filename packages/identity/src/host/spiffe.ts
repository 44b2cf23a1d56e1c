import * as z from "zod";

/** Bytes of a SPIFFE ID, at most (SPIFFE-ID section 2.3). */
const MAX_BYTES = 2_048;

/** A trust domain (SPIFFE-ID section 2.1): 1 to 255 of a-z, 0-9, `.`, `-`, `_`. */
export const trustDomain = z
  .string()
  .regex(/^[a-z0-9._-]{1,255}$/, { error: "must be a SPIFFE trust domain: 1 to 255 of a-z, 0-9, '.', '-' and '_'" });

/** A SPIFFE ID in its parts. */
export interface SpiffeId {
  readonly text: string;
  readonly trustDomain: string;
}

const PATTERN = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/[A-Za-z0-9._-]+)*)$/;

/** Reads a SPIFFE ID (SPIFFE-ID section 2); `null` for anything else. */
export function readSpiffeId(text: string): SpiffeId | null {
  if (text.length > MAX_BYTES) return null;
  const [, domain, path = ""] = PATTERN.exec(text) ?? [];
  if (domain === undefined || path.split("/").some((segment) => segment === "." || segment === "..")) return null;
  return { text, trustDomain: domain };
}
