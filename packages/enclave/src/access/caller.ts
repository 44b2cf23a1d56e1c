import {
  hostAssertedLabels,
  type AuthenticatedCaller,
  type HostAsserted,
  type IdentitySource,
  type PeerIdentity,
} from "@cmcp/identity";
import type { RequestFacts } from "@cmcp/policy";
import type { Channel } from "@cmcp/session";

/** The provisioned token that a caller showed. */
export interface CallerToken {
  /** Lowercase hex SHA-256 of its bytes. */
  readonly sha256: string;
  readonly workflows: readonly string[] | null;
}

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
  /** Of its principal's workflows, those that its credential is for; `null` for all. */
  readonly workflows: readonly string[] | null;
  /** How its request came. */
  readonly channel: Channel;
  /** The workflow at whose endpoint its request came; `null` for every other path. */
  readonly endpoint: string | null;
  readonly #credential: ConstructorParameters<typeof Caller>;

  constructor(
    who: { readonly principalId: string; readonly source: "bearer" | "tokenless" } | AuthenticatedCaller,
    asserted: HostAsserted<PeerIdentity> | null,
    arrival: {
      readonly token?: CallerToken | null;
      readonly channel?: Channel;
      readonly endpoint?: string;
    } = {},
  ) {
    const { token = null, channel = "plain", endpoint = null } = arrival;
    this.principalId = who.principalId;
    this.source = who.source;
    this.jwtIdentity = who.source === "jwt" ? who : null;
    this.asserted = asserted;
    this.tokenHash = token?.sha256 ?? null;
    this.workflows = this.jwtIdentity?.workflows ?? token?.workflows ?? null;
    this.channel = channel;
    this.endpoint = endpoint;
    this.#credential = [who, asserted, arrival];
  }

  /** The same caller at the endpoint of a workflow. */
  at(endpoint: string): Caller {
    const [who, asserted, arrival] = this.#credential;
    return new Caller(who, asserted, { ...arrival, endpoint });
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
    ...(jwtIdentity === null ? {} : jwtDetail(jwtIdentity)),
    ...(asserted === null ? {} : hostAssertedLabels(asserted)),
  };
}

/** Issuer and subject of a JWT, the key whose possession its sender proved, and the fetched set that verified it. */
function jwtDetail({ issuer, subject, thumbprint, keySet }: AuthenticatedCaller): Readonly<Record<string, string>> {
  return {
    identity_issuer: issuer,
    identity_subject: subject,
    ...(thumbprint === null ? {} : { identity_key: thumbprint }),
    ...(keySet === null ? {} : { identity_issuer_keys: keySet }),
  };
}
