import type { ManifestAnchor } from "./anchors.ts";
import type { BoundFacts, ManifestFacts } from "./facts.ts";
import { coversTime, revokes, type RevocationList } from "./revocations.ts";

const HOUR_MS = 3_600_000;
/** The validity of a manifest: at least an hour, at most 365 days. */
const MIN_VALIDITY_MS = HOUR_MS;
const MAX_VALIDITY_MS = 365 * 24 * HOUR_MS;

/** Why a manifest does not count, each with its sentence. */
export const PROBLEMS = {
  key: "no anchor has the key that it names",
  signature: "its signature does not verify",
  issuer: "its key may not sign for its issuer",
  subject: "it is of another agent than the authenticated caller",
  validity: "it is not valid for an hour to 365 days",
  "not-yet-valid": "it is not valid yet",
  expired: "it has expired",
  policy: "it names another policy bundle than the one in force",
  catalog: "it names another catalog than the one in force",
  mode: "it asks for another enforcement mode",
  revocations: "there is no revocation list in force, so nothing shows that it is not revoked",
  revoked: "it is revoked, or its issuer or key is",
} as const;
/** Why a manifest does not count. */
export type ManifestProblem = keyof typeof PROBLEMS;

/** What a manifest whose signature has verified is held to. */
export interface ManifestTerms {
  /** The key that signed it. */
  readonly anchor: ManifestAnchor;
  /** SPIFFE ID of the authenticated caller; `null` for a caller that has none. */
  readonly subject: string | null;
  /** `sha256:` and hex, of what is in force. */
  readonly policyHash: string;
  readonly catalogHash: string;
  /** The enforcement mode in force. */
  readonly mode: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** The first thing that is wrong with a manifest, but for its revocation; `null` where it counts. */
export function problemOf(facts: ManifestFacts, terms: ManifestTerms): ManifestProblem | null {
  const { anchor, subject, policyHash, catalogHash, mode, now } = terms;
  const validity = facts.expiresAt - facts.issuedAt;
  const rules: readonly (readonly [boolean, ManifestProblem])[] = [
    [anchor.issuers === undefined || anchor.issuers.includes(facts.issuer), "issuer"],
    [facts.agentId === subject, "subject"],
    [validity >= MIN_VALIDITY_MS && validity <= MAX_VALIDITY_MS, "validity"],
    [facts.issuedAt <= now, "not-yet-valid"],
    [now < facts.expiresAt, "expired"],
    [facts.policyHash === policyHash, "policy"],
    [facts.catalogHash === catalogHash, "catalog"],
    [facts.mode === null || facts.mode === mode, "mode"],
  ];
  return rules.find(([holds]) => !holds)?.[1] ?? null;
}

/** A manifest without a problem names a catalog. */
export function isBound(facts: ManifestFacts): facts is BoundFacts {
  return facts.catalogHash !== null;
}

/** Whether a list in force says nothing against a manifest. Without such a list nothing counts. */
export function revocationProblem(
  facts: ManifestFacts,
  list: RevocationList | null,
  now: number,
): Extract<ManifestProblem, "revocations" | "revoked"> | null {
  if (list === null || !coversTime(list, now)) return "revocations";
  return revokes(list, facts) ? "revoked" : null;
}
