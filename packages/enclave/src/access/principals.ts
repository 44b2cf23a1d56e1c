import { hash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { CmcpError } from "@cmcp/boundary";
import {
  claimsPossession,
  looksLikeJwt,
  MAX_TOKEN,
  proofFault,
  type HostAsserted,
  type JwtAuthenticator,
  type PeerIdentity,
  type Presentation,
} from "@cmcp/identity";
import { DEFAULT_PRINCIPAL, DEFAULT_WORKFLOW, type Config } from "@cmcp/launch";
import type { Provision } from "@cmcp/provision";
import type { Channel } from "@cmcp/session";
import { Caller } from "./caller.ts";

/** RFC 6750 section 2.1, extended to every visible character that a provisioned token may have; RFC 9449 section 7.1. */
const CREDENTIALS = /^(Bearer|DPoP) +([\x21-\x7e]+)$/i;

/** Most tokens whose principals are remembered, over all provisionings of a log. */
export const MAX_BOUND_TOKENS = 100_000;

/** How a request came, and what it has beside its token. */
interface Ingress extends Omit<Presentation, "scheme"> {
  readonly channel: Channel;
}

/**
 * The principals of the measured configuration, and the SHA-256 hashes of their bearer tokens. Tokens are provisioned: who
 * provisions decides who can call now, but not which principals exist or what they may do. JWTs do not depend on the host, because their
 * issuers' keys are measured.
 */
export class Principals {
  readonly #workflows: ReadonlyMap<string, readonly string[]>;
  readonly #launchReaders: ReadonlySet<string>;
  readonly #jwt: JwtAuthenticator | null;
  #byTokenHash: ReadonlyMap<string, Provision["tokens"][number]> | null = null;
  /** The principal of every token that was ever provisioned, by the token's commitment. A token never changes its principal. */
  readonly #bound: Map<string, string>;
  readonly #commit: (sha256: string) => string;
  #tokenless = false;

  /**
   * @param jwt `null` if the configuration names no issuer
   * @param tokens what is known of tokens: the commitment to one, from its SHA-256 in hex, and the principals of those that the log names
   */
  constructor(
    measured: Config["enclave"]["principals"],
    jwt: JwtAuthenticator | null,
    tokens: { readonly commit: (sha256: string) => string; readonly bound: ReadonlyMap<string, string> },
  ) {
    this.#commit = tokens.commit;
    this.#bound = new Map(tokens.bound);
    this.#workflows = new Map(measured.map(({ id, workflows }) => [id, [...new Set(workflows)]]));
    this.#launchReaders = new Set(measured.filter(({ role }) => role !== undefined).map(({ id }) => id));
    this.#jwt = jwt;
  }

  /** Whether the measured configuration lets a caller read the launch document. */
  mayReadLaunch({ principalId }: Caller): boolean {
    return this.#launchReaders.has(principalId);
  }

  /**
   * Checks a provision message as a whole. Only a development instance serves without tokens. Every token must belong to a measured
   * principal, to the same one as before, and be for workflows of that principal.
   * @throws CmcpError `LISTEN_ADDRESS_REFUSED`, `PRINCIPAL_NOT_MEASURED`, `TOKEN_REBOUND`, `PROVISION_LIMIT_REACHED`
   */
  assertValid(message: Provision, development: boolean): void {
    if (message.tokenless === true && !development)
      throw new CmcpError("LISTEN_ADDRESS_REFUSED", "a gateway without bearer tokens needs development mode");
    const named = message.tokenless === true ? [DEFAULT_PRINCIPAL] : message.tokens.map(({ principal }) => principal);
    if (named.some((id) => !this.#workflows.has(id)))
      throw new CmcpError(
        "PRINCIPAL_NOT_MEASURED",
        "the provision message names a principal that the launch document does not list",
      );
    const foreign = message.tokens.find(({ principal, workflows = [] }) =>
      workflows.some((workflow) => this.#workflows.get(principal)?.includes(workflow) !== true),
    );
    if (foreign !== undefined)
      throw new CmcpError(
        "PRINCIPAL_NOT_MEASURED",
        `the provision message gives ${foreign.principal} a token for a workflow that the launch document does not list for it`,
      );
    const rebound = message.tokens.find(
      ({ principal, sha256 }) => (this.#bound.get(this.#commit(sha256)) ?? principal) !== principal,
    );
    if (rebound !== undefined)
      throw new CmcpError(
        "TOKEN_REBOUND",
        `the provision message gives ${rebound.principal} a token that belonged to another principal before`,
      );
    const added = message.tokens.filter(({ sha256 }) => !this.#bound.has(this.#commit(sha256))).length;
    if (added > 0 && this.#bound.size + added > MAX_BOUND_TOKENS)
      throw new CmcpError(
        "PROVISION_LIMIT_REACHED",
        `a log takes at most ${MAX_BOUND_TOKENS} tokens, and it has had as many`,
      );
  }

  /** From here on each token of a message names its principal and no other, whether or not the message comes into force. */
  bind({ tokens }: Provision): void {
    for (const { principal, sha256 } of tokens) this.#bound.set(this.#commit(sha256), principal);
  }

  /** Replaces the tokens. Until the first provision message every request of an agent is refused. */
  provision(message: Provision): void {
    this.#byTokenHash = new Map(message.tokens.map((token) => [token.sha256, token]));
    this.#tokenless = message.tokenless === true;
  }

  /**
   * The workflows that a caller's credential may use. The principal's list counts, and also the list of the provisioned token, or of the
   * JWT's subject, if it has one. The principal of an `any_subject` issuer has only the subject's list. At the endpoint of a workflow
   * it may use that one alone.
   */
  workflowsOf({ principalId, workflows, endpoint }: Caller): readonly string[] {
    const own = this.#workflows.get(principalId);
    const all = workflows === null ? (own ?? []) : workflows.filter((workflow) => own?.includes(workflow) ?? true);
    return endpoint === null ? all : all.filter((workflow) => workflow === endpoint);
  }

  /**
   * The caller at the endpoint of a workflow. One that there is not is refused like one that the caller may not use.
   * @throws CmcpError `WORKFLOW_NOT_ALLOWED`
   */
  atEndpoint(caller: Caller, workflow: string): Caller {
    const there = caller.at(workflow);
    if (this.workflowsOf(there).length > 0) return there;
    throw new CmcpError("WORKFLOW_NOT_ALLOWED", "this principal may not use the workflow that the path names");
  }

  /**
   * The workflow of a request that names none: the credential's only one, or `default` if the credential may use that.
   * Otherwise `null`, and the request must name one. It is always a workflow that the caller may also name.
   */
  unnamedWorkflow(caller: Caller): string | null {
    const [only, ...others] = new Set(this.workflowsOf(caller));
    if (only !== undefined && others.length === 0) return only;
    return others.length > 0 && [only, ...others].includes(DEFAULT_WORKFLOW) ? DEFAULT_WORKFLOW : null;
  }

  /** The workflows whose tools a caller's lists have: that of a request that names none or, if it must name one, all of the caller's. */
  listedWorkflows(caller: Caller): readonly string[] {
    const unnamed = this.unnamedWorkflow(caller);
    return unnamed === null ? this.workflowsOf(caller) : [unnamed];
  }

  /** Whether the caller's token is still valid: a JWT until it expires, a provisioned token until a provision message omits it or changes its workflows. */
  isStillValid({ principalId, source, jwtIdentity, tokenHash, workflows }: Caller): boolean {
    if (jwtIdentity !== null) return this.#jwt?.isCurrent(jwtIdentity) ?? false;
    if (source === "tokenless") return this.#tokenless;
    const token = this.#byTokenHash?.get(tokenHash ?? "");
    return token?.principal === principalId && isDeepStrictEqual(token.workflows ?? null, workflows);
  }

  /**
   * Authenticates a request. Looking up a hash leaks no timing about the token, because an attacker cannot choose the hash.
   * @param asserted what the host asserts about the peer; it takes no part in authentication
   * @throws CmcpError `NOT_PROVISIONED`; `UNAUTHENTICATED`, with the reason `missing` if there was no token; those of
   *   {@link JwtAuthenticator.authenticate}
   */
  async authenticate(
    authorization: string | null,
    asserted: HostAsserted<PeerIdentity> | null,
    { channel = "plain", proof = null, method = "", path = "" }: Partial<Ingress> = {},
  ): Promise<Caller> {
    if (this.#byTokenHash === null)
      throw new CmcpError("NOT_PROVISIONED", "the gateway has no tokens yet; they are provisioned after the launch");
    if (this.#tokenless && authorization === null)
      return new Caller({ principalId: DEFAULT_PRINCIPAL, source: "tokenless" }, asserted, { channel });
    const [, written = "", token] = CREDENTIALS.exec(authorization ?? "") ?? [];
    if (token !== undefined && token.length <= MAX_TOKEN) {
      const scheme = written.toLowerCase() === "dpop" ? "dpop" : "bearer";
      const presentation = { scheme, proof, method, path } as const;
      const bearer = this.#bearer(token, asserted, channel);
      if (this.#jwt === null || !looksLikeJwt(token)) {
        if (claimsPossession(presentation)) throw proofFault("unbound");
        if (bearer !== null) return bearer;
      } else {
        // A measured issuer counts before the host, which provisioned the hash.
        const jwtIdentity = this.#jwt.authenticate(token, presentation);
        const caller = jwtIdentity.then((who) => new Caller(who, asserted, { channel }));
        return await (bearer === null || claimsPossession(presentation) ? caller : caller.catch(() => bearer));
      }
    }
    const missing = !/^(?:Bearer|DPoP)(?: |$)/i.test(authorization ?? "");
    throw new CmcpError("UNAUTHENTICATED", "the bearer token is missing or unknown", {
      detail: missing ? { reason: "missing" } : {},
    });
  }

  /** The holder of a provisioned token; `null` for another token. */
  #bearer(token: string, asserted: HostAsserted<PeerIdentity> | null, channel: Channel): Caller | null {
    const tokenHash = hash("sha256", token, "hex");
    const { principal, sha256, workflows = null } = this.#byTokenHash?.get(tokenHash) ?? {};
    return principal === undefined || sha256 === undefined
      ? null
      : new Caller({ principalId: principal, source: "bearer" }, asserted, { token: { sha256, workflows }, channel });
  }
}
