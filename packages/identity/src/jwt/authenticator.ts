import { fromBase64Url, readSpiffeId, type JsonObject } from "@cmcp/boundary";
import { compactVerify, type CryptoKey } from "jose";
import { authenticatedCaller, type AuthenticatedCaller } from "../authenticated-caller.ts";
import { proofFault } from "../dpop/fault.ts";
import { AS_BEARER, claimsPossession, type Presentation, type ProofOfPossession } from "../dpop/possession.ts";
import { MAX_TOKEN } from "../limits.ts";
import { principalName } from "../names.ts";
import type { IdentitySettings } from "../schema.ts";
import type { TrustBundles } from "../spiffe/bundle.ts";
import { svidKeys } from "../spiffe/keys.ts";
import { checkClaims } from "./claims.ts";
import { looksLikeJwt } from "./compact.ts";
import { tokenFault } from "./fault.ts";
import { readHeader, readPart, type JwtHeader } from "./header.ts";
import { NO_KEYS } from "../jwks/remote-keys.ts";
import { KeyRing, type IssuerKeys } from "./keys.ts";
import { projectClaims } from "./project.ts";
import { domainId, issuerRules, svidRules, type TokenRules } from "./rules.ts";
import { narrowByScopes } from "./scopes.ts";
import type { IssuerSettings } from "./settings.ts";

interface Issuer {
  readonly rules: TokenRules;
  readonly keys: IssuerKeys;
}

/** What checking JWTs needs beside the measured issuers. */
export interface JwtPorts {
  /** Checks the proofs of tokens that are bound to keys; without it they are refused. */
  readonly possession: ProofOfPossession | null;
  /** The keys of an issuer that the configuration gives an address of. */
  readonly remoteKeys: (settings: IssuerSettings) => IssuerKeys;
  /** `enclave.spiffe_bundles`. */
  readonly bundles: TrustBundles;
}

const NO_PORTS: JwtPorts = { possession: null, remoteKeys: () => NO_KEYS, bundles: {} };

async function keysOf(settings: IssuerSettings, { remoteKeys }: JwtPorts): Promise<IssuerKeys> {
  const { jwks, algorithms, issuer } = settings;
  if (jwks == null) return remoteKeys(settings);
  const ring = await KeyRing.of(jwks.keys, algorithms, issuer);
  return { select: (header) => ({ key: ring.select(header), keySet: null }) };
}

/** Every issuer that the configuration names, of either kind. */
async function issuersOf(
  { jwt, spiffe }: Pick<IdentitySettings, "jwt" | "spiffe">,
  ports: JwtPorts,
): Promise<readonly Issuer[]> {
  const issuers = jwt.map(async (one) => ({ rules: issuerRules(one), keys: await keysOf(one, ports) }));
  const domains = (spiffe ?? []).map(async (one) => ({
    rules: svidRules(one),
    keys: await svidKeys(one, ports.bundles),
  }));
  return await Promise.all([...issuers, ...domains]);
}

async function verifySignature(token: string, key: CryptoKey, { alg }: JwtHeader): Promise<void> {
  try {
    await compactVerify(token, key, { algorithms: [alg] });
  } catch (thrown) {
    throw tokenFault("signature", thrown);
  }
}

/**
 * Verifies JWTs (RFC 7519, RFC 8725, RFC 9068) and JWT-SVIDs with the keys of measured issuers. Of a token only the name of its issuer
 * and of its key counts before its signature does.
 */
export class JwtAuthenticator {
  readonly #issuers: ReadonlyMap<string, Issuer>;
  readonly #now: () => number;
  readonly #possession: ProofOfPossession | null;

  private constructor(issuers: ReadonlyMap<string, Issuer>, now: () => number, possession: ProofOfPossession | null) {
    this.#issuers = issuers;
    this.#now = now;
    this.#possession = possession;
  }

  /**
   * @param now milliseconds since 1970, of a clock that does not go back
   * @throws CmcpError `CONFIG_INVALID` for a key that is not valid, or a trust domain without a bundle
   */
  static async of(
    settings: Pick<IdentitySettings, "jwt" | "spiffe">,
    now: () => number,
    ports: JwtPorts = NO_PORTS,
  ): Promise<JwtAuthenticator> {
    const issuers = await issuersOf(settings, ports);
    const byName = new Map(issuers.map((issuer) => [issuer.rules.issuer, issuer]));
    return new JwtAuthenticator(byName, now, ports.possession);
  }

  /**
   * The caller that a token proves, with the proof of its key where it is bound to one.
   * @throws CmcpError `UNAUTHENTICATED`; `detail.reason` is a `TokenFault`, or `detail.proof` a `ProofFault`;
   *   `SCOPE_INSUFFICIENT`; `ISSUER_KEYS_UNAVAILABLE`; `OVERLOADED` for a principal that has used too many proofs
   */
  async authenticate(token: string, presentation: Presentation = AS_BEARER): Promise<AuthenticatedCaller> {
    if (token.length > MAX_TOKEN) throw tokenFault("size");
    const [head = "", body = "", signature = ""] = token.split(".", 3);
    // One spelling of each token: decoders differ on bits that mean nothing.
    if (!looksLikeJwt(token) || fromBase64Url(signature) === undefined) throw tokenFault("form");
    const header = readHeader(head);
    const claims = readPart(body, "form");
    const { rules: settings, keys } = this.#issuerOf(claims);
    if (!settings.algorithms.includes(header.alg)) throw tokenFault("algorithm");
    if (!settings.types.some((type) => type?.toLowerCase() === header.typ?.toLowerCase())) throw tokenFault("type");
    const { key, keySet } = await keys.select(header);
    await verifySignature(token, key, header);
    const { subject, expiresAt, thumbprint } = checkClaims(claims, settings, this.#now());
    const standing = principalOf(subject, settings);
    const workflows = narrowByScopes(standing.workflows, claims, settings);
    const { principalId } = standing;
    await this.#requirePossession({ token, thumbprint, principalId }, presentation, settings);
    return authenticatedCaller({
      source: "jwt",
      principalId,
      workflows,
      thumbprint,
      keySet,
      issuer: settings.issuer,
      subject,
      claims: projectClaims(claims, settings.claims),
      expiresAt,
    });
  }

  /**
   * Who must have signed a token: the issuer that it names, or else the trust domain that its subject names (JWT-SVID section
   * 3.1). Neither is believed yet.
   */
  #issuerOf({ iss, sub }: JsonObject): Issuer {
    const named = typeof iss === "string" ? this.#issuers.get(iss) : undefined;
    const id = typeof sub === "string" ? readSpiffeId(sub) : null;
    const issuer = named ?? (id === null ? undefined : this.#issuers.get(domainId(id.trustDomain)));
    if (issuer === undefined) throw tokenFault("issuer");
    return issuer;
  }

  async #requirePossession(
    {
      thumbprint,
      ...bound
    }: { readonly token: string; readonly thumbprint: string | null; readonly principalId: string },
    presentation: Presentation,
    { require_dpop: isRequired }: TokenRules,
  ): Promise<void> {
    if (thumbprint !== null) {
      if (this.#possession === null) throw tokenFault("bound");
      return await this.#possession.require(presentation, { ...bound, thumbprint });
    }
    if (claimsPossession(presentation)) throw proofFault("unbound");
    if (isRequired === true) throw tokenFault("unbound");
  }

  /** Whether the token of a caller that was authenticated has not expired since. */
  isCurrent({ expiresAt }: AuthenticatedCaller): boolean {
    return this.#now() < expiresAt;
  }
}

/** The principal that a subject maps to. */
interface MappedPrincipal {
  readonly principalId: string;
  readonly workflows: readonly string[] | null;
}

/** @throws CmcpError `UNAUTHENTICATED`, reason `subject`, if the configuration does not allow the subject */
function principalOf(subject: string, { subjects, any_subject: any }: TokenRules): MappedPrincipal {
  const listed = subjects.find((one) => one.subject === subject);
  if (listed !== undefined) return { principalId: listed.principal, workflows: listed.workflows ?? null };
  if (any === null) throw tokenFault("subject");
  const principalId = `${any.prefix}${subject}`;
  // A subject that does not fit a principal's name is refused: any change of it could name another principal.
  if (!principalName.safeParse(principalId).success) throw tokenFault("subject");
  return { principalId, workflows: any.workflows };
}
