import {
  hostAssertedLabels,
  type AuthenticatedCaller,
  type HostAsserted,
  type IdentitySource,
  type PeerIdentity,
} from "@cmcp/identity";
import type { RequestFacts } from "@cmcp/policy";

/** Who is calling, as far as the gateway could establish; made anew for each request. */
export class Caller {
  readonly principalId: string;
  readonly source: IdentitySource;
  /** What a JWT proved; `null` for every other source. */
  readonly jwtIdentity: AuthenticatedCaller | null;
  /** The host's word, which changes nothing of the above. */
  readonly asserted: HostAsserted<PeerIdentity> | null;
  /** Hex SHA-256 of the provisioned token it came with; `null` without one. For no record. */
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

/** The attributes of Cedar's principal that are about the caller. */
export function principalFacts({ principalId, source, jwtIdentity, asserted }: Caller): RequestFacts["principal"] {
  return {
    id: principalId,
    identitySource: source,
    identityClaims: jwtIdentity === null ? [] : claimTexts(jwtIdentity),
    ...(jwtIdentity === null ? {} : { identityIssuer: jwtIdentity.issuer, userIdentity: jwtIdentity.subject }),
    ...(asserted === null ? {} : { hostAssertedIdentity: hostAssertedLabels(asserted).host_asserted_spiffe_id }),
  };
}

/** Each projected claim as `name=value`, a set's members one by one. A name holds no `=`, so no value can pass for another claim. */
function claimTexts({ claims }: AuthenticatedCaller): readonly string[] {
  return [...claims].flatMap(([name, value]) =>
    (typeof value === "object" ? value : [value]).map((one) => `${name}=${one}`),
  );
}

/** What the record says of a caller beside its principal. */
export function callerDetail({ source, jwtIdentity, asserted }: Caller): Readonly<Record<string, string>> {
  return {
    identity_source: source,
    ...(jwtIdentity === null ? {} : { identity_issuer: jwtIdentity.issuer, identity_subject: jwtIdentity.subject }),
    ...(asserted === null ? {} : hostAssertedLabels(asserted)),
  };
}
