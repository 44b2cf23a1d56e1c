import {
  hostAssertedLabels,
  type AuthenticatedCaller,
  type HostAsserted,
  type IdentitySource,
  type PeerIdentity,
} from "@cmcp/identity";
import type { RequestFacts } from "@cmcp/policy";

/** The authenticated caller of one request. */
export class Caller {
  readonly principalId: string;
  readonly source: IdentitySource;
  /** The identity in a verified JWT; `null` for every other source. */
  readonly jwtIdentity: AuthenticatedCaller | null;
  /** What the host asserts about the peer. It takes no part in authentication. */
  readonly asserted: HostAsserted<PeerIdentity> | null;
  /** Hex SHA-256 of the provisioned token; `null` without one. It is never recorded. */
  readonly tokenHash: string | null;

  constructor(
    who: { readonly principalId: string; readonly source: "bearer" | "tokenless" } | AuthenticatedCaller,
    asserted: HostAsserted<PeerIdentity> | null,
    tokenHash: string | null = null,
  ) {
    this.principalId = who.principalId;
    this.source = who.source;
    this.jwtIdentity = who.source === "jwt" ? who : null;
    this.asserted = asserted;
    this.tokenHash = tokenHash;
  }
}

/** The caller's attributes for Cedar's principal. */
export function principalFacts({ principalId, source, jwtIdentity, asserted }: Caller): RequestFacts["principal"] {
  return {
    id: principalId,
    identitySource: source,
    identityClaims: jwtIdentity === null ? [] : claimTexts(jwtIdentity),
    ...(jwtIdentity === null ? {} : { identityIssuer: jwtIdentity.issuer, userIdentity: jwtIdentity.subject }),
    ...(asserted === null ? {} : { hostAssertedIdentity: hostAssertedLabels(asserted).host_asserted_spiffe_id }),
  };
}

/** Each projected claim as `name=value`, one for each member of a set. Names contain no `=`, so values cannot imitate other claims. */
function claimTexts({ claims }: AuthenticatedCaller): readonly string[] {
  return [...claims].flatMap(([name, value]) =>
    (typeof value === "object" ? value : [value]).map((one) => `${name}=${one}`),
  );
}

/** The caller's members of an entry's `detail`. The principal is elsewhere in the entry. */
export function callerDetail({ source, jwtIdentity, asserted }: Caller): Readonly<Record<string, string>> {
  return {
    identity_source: source,
    ...(jwtIdentity === null ? {} : { identity_issuer: jwtIdentity.issuer, identity_subject: jwtIdentity.subject }),
    ...(asserted === null ? {} : hostAssertedLabels(asserted)),
  };
}
