import { readWorkloadId } from "@cmcp/boundary";
import type { SvidIssuerSettings } from "../spiffe/settings.ts";
import type { IssuerSettings } from "./settings.ts";

/** What the tokens of one issuer are held to, of whatever kind it is. */
export interface TokenRules
  extends Pick<
    IssuerSettings,
    "issuer" | "audience" | "clock_skew_seconds" | "max_lifetime_seconds" | "subjects" | "scope_workflows" | "claims"
  > {
  readonly require_dpop?: boolean | null | undefined;
  readonly algorithms: readonly string[];
  /** Values of the header's `typ`; `null` for one without. */
  readonly types: readonly (string | null)[];
  readonly any_subject: { readonly prefix: string; readonly workflows: readonly string[] } | null;
  /** Whether a subject is of the form that the issuer's have. */
  readonly isSubject: (subject: string) => boolean;
}

/** The rules for access tokens of an authorization server. */
export function issuerRules(settings: IssuerSettings): TokenRules {
  return { ...settings, any_subject: settings.any_subject ?? null, isSubject: () => true };
}

/** The SPIFFE ID of a trust domain: what the record calls the issuer of its JWT-SVIDs. */
export function domainId(trustDomain: string): string {
  return `spiffe://${trustDomain}`;
}

/**
 * The rules for JWT-SVIDs of a trust domain (JWT-SVID sections 2 and 3). `typ` may be absent. The principal of any workload is
 * its SPIFFE ID.
 */
export function svidRules({ trust_domain: domain, any_subject: any, ...settings }: SvidIssuerSettings): TokenRules {
  return {
    ...settings,
    issuer: domainId(domain),
    types: [null, "JWT", "JOSE"],
    any_subject: any == null ? null : { prefix: "", workflows: any.workflows },
    isSubject: (subject) => readWorkloadId(subject, domain) !== null,
  };
}
