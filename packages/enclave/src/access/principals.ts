import { hash } from "node:crypto";
import { CmcpError } from "@cmcp/boundary";
import { looksLikeJwt, MAX_TOKEN, type HostAsserted, type JwtAuthenticator, type PeerIdentity } from "@cmcp/identity";
import { DEFAULT_PRINCIPAL, type Config, type Provision } from "@cmcp/launch";
import { Caller } from "./caller.ts";

/** RFC 6750 section 2.1, with every visible character that a provisioned token may have. */
const BEARER = /^Bearer +([\x21-\x7e]+)$/i;

/** Most tokens that one instance remembers the principals of, all provisionings together. */
export const MAX_BOUND_TOKENS = 100_000;

/**
 * The principals of the measured configuration, and their bearer tokens by SHA-256; the tokens themselves
 * are never held. The host hands tokens over: it can say who may call now, never who there is or what anybody may do.
 * JWTs need nothing of the host: their issuers' keys are measured.
 */
export class Principals {
  readonly #workflows: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #launchReaders: ReadonlySet<string>;
  readonly #jwt: JwtAuthenticator | null;
  #byTokenHash: ReadonlyMap<string, string> | null = null;
  /** Of every token this instance was ever given, its principal: a token never stands for another. */
  readonly #bound = new Map<string, string>();
  #tokenless = false;

  /** @param jwt `null` where the configuration names no issuer */
  constructor(measured: Config["enclave"]["principals"], jwt: JwtAuthenticator | null) {
    this.#workflows = new Map(measured.map(({ id, workflows }) => [id, new Set(workflows)]));
    this.#launchReaders = new Set(measured.filter(({ role }) => role !== undefined).map(({ id }) => id));
    this.#jwt = jwt;
  }

  /** Whether the measured configuration lets a caller read the launch document: policy, catalog and configuration as a whole. */
  mayReadLaunch({ principalId }: Caller): boolean {
    return this.#launchReaders.has(principalId);
  }

  /**
   * Refuses a provision message as a whole: without a token only a development instance serves, every
   * token must be of a measured principal, and of the one it was of before.
   * @throws CmcpError `LISTEN_ADDRESS_REFUSED`, `PRINCIPAL_NOT_MEASURED`, `TOKEN_REBOUND`, `PROVISION_LIMIT_REACHED`
   */
  assertValid(message: Provision, development: boolean): void {
    if (message.tokenless === true && !development)
      throw new CmcpError("LISTEN_ADDRESS_REFUSED", "without a bearer token the gateway serves in development only");
    const named = message.tokenless === true ? [DEFAULT_PRINCIPAL] : message.tokens.map(({ principal }) => principal);
    if (named.some((id) => !this.#workflows.has(id)))
      throw new CmcpError(
        "PRINCIPAL_NOT_MEASURED",
        "the provision message names a principal that the launch document does not list",
      );
    const rebound = message.tokens.find(
      ({ principal, sha256 }) => (this.#bound.get(sha256) ?? principal) !== principal,
    );
    if (rebound !== undefined)
      throw new CmcpError(
        "TOKEN_REBOUND",
        `the provision message gives ${rebound.principal} a token that this instance knows as another principal's`,
      );
    const added = message.tokens.filter(({ sha256 }) => !this.#bound.has(sha256)).length;
    if (this.#bound.size + added > MAX_BOUND_TOKENS)
      throw new CmcpError("PROVISION_LIMIT_REACHED", `this instance was given ${MAX_BOUND_TOKENS} tokens`);
  }

  /** Takes an acceptable provision message in place of the one before. Until the first, every agent request is refused. */
  provision(message: Provision): void {
    this.#byTokenHash = new Map(message.tokens.map(({ principal, sha256 }) => [sha256, principal]));
    for (const { principal, sha256 } of message.tokens) this.#bound.set(sha256, principal);
    this.#tokenless = message.tokenless === true;
  }

  /**
   * Whether the measured configuration gives a caller a workflow: its principal's, and of them, where its JWT's
   * subject has a list of its own, only those. The principal of an `any_subject` issuer has that list and no other.
   */
  mayUseWorkflow({ principalId, jwtIdentity }: Caller, workflow: string): boolean {
    const own = this.#workflows.get(principalId);
    if (jwtIdentity?.workflows == null) return own?.has(workflow) ?? false;
    return jwtIdentity.workflows.includes(workflow) && (own?.has(workflow) ?? true);
  }

  /** Whether what let a caller in would let it in now: a JWT until it expires, anything else until a provision message leaves it out. */
  isStillValid({ principalId, source, jwtIdentity, tokenHash }: Caller): boolean {
    if (jwtIdentity !== null) return this.#jwt?.isCurrent(jwtIdentity) ?? false;
    return source === "tokenless" ? this.#tokenless : this.#byTokenHash?.get(tokenHash ?? "") === principalId;
  }

  /**
   * Finds the caller of a request. Looking a hash up leaks no timing about the token: the attacker does
   * not choose the hash.
   * @param asserted what the host says of the peer; it takes no part in this
   * @throws CmcpError `NOT_PROVISIONED`; `UNAUTHENTICATED`, with the reason `missing` where no bearer token was sent
   */
  async authenticate(authorization: string | null, asserted: HostAsserted<PeerIdentity> | null): Promise<Caller> {
    if (this.#byTokenHash === null)
      throw new CmcpError("NOT_PROVISIONED", "the gateway has not been given its tokens yet");
    if (this.#tokenless && authorization === null)
      return new Caller({ principalId: DEFAULT_PRINCIPAL, source: "tokenless" }, asserted);
    const token = BEARER.exec(authorization ?? "")?.[1];
    if (token !== undefined && token.length <= MAX_TOKEN) {
      const tokenHash = hash("sha256", token, "hex");
      const principalId = this.#byTokenHash.get(tokenHash);
      const bearer =
        principalId === undefined ? null : new Caller({ principalId, source: "bearer" }, asserted, tokenHash);
      if (this.#jwt === null || !looksLikeJwt(token)) {
        if (bearer !== null) return bearer;
      } else {
        // What a measured issuer says of a token counts before what the host says of its hash.
        const jwtIdentity = this.#jwt.authenticate(token);
        const caller = jwtIdentity.then((who) => new Caller(who, asserted));
        return await (bearer === null ? caller : caller.catch(() => bearer));
      }
    }
    const missing = !/^Bearer(?: |$)/i.test(authorization ?? "");
    throw new CmcpError("UNAUTHENTICATED", "the bearer token is missing or not known", {
      detail: missing ? { reason: "missing" } : {},
    });
  }
}
