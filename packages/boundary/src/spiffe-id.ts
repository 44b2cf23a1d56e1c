/** Characters of a SPIFFE ID, at most; all are ASCII (SPIFFE-ID section 2.3). */
const MAX_LENGTH = 2_048;
/** A trust domain (SPIFFE-ID section 2.1), and the segments of a path (section 2.2). */
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
const PATTERN = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/[A-Za-z0-9._-]+)*)$/;

/** A SPIFFE ID in its parts. */
export interface SpiffeId {
  readonly text: string;
  readonly trustDomain: string;
  /** With its first `/`; empty for the ID of the trust domain itself. */
  readonly path: string;
}

/** Whether a text is the name of a trust domain: 1 to 255 of `a-z`, `0-9`, `.`, `-` and `_`. */
export function isTrustDomain(text: string): boolean {
  return TRUST_DOMAIN.test(text);
}

/** Reads a SPIFFE ID (SPIFFE-ID section 2), which has one spelling; `null` for anything else. */
export function readSpiffeId(text: string): SpiffeId | null {
  if (text.length > MAX_LENGTH) return null;
  const [, trustDomain, path = ""] = PATTERN.exec(text) ?? [];
  if (trustDomain === undefined || path.split("/").some((segment) => segment === "." || segment === "..")) return null;
  return { text, trustDomain, path };
}

/** The SPIFFE ID of a workload in a trust domain: one with a path. `null` for anything else. */
export function readWorkloadId(text: string, trustDomain: string): SpiffeId | null {
  const id = readSpiffeId(text);
  return id !== null && id.trustDomain === trustDomain && id.path !== "" ? id : null;
}
