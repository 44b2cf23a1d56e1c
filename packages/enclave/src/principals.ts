import { createHash } from "node:crypto";
import { CmcpError } from "@cmcp/boundary";
import { DEFAULT_PRINCIPAL, type Config, type Provision } from "@cmcp/launch";

const BEARER = /^Bearer ([\x21-\x7e]{1,4096})$/i;
/** Who calls when no token is configured; possible only on a loopback address in development. */
const TOKENLESS: Caller = { principalId: DEFAULT_PRINCIPAL };

/** Who is calling, as far as the gateway could establish. */
export interface Caller {
  readonly principalId: string;
}

/**
 * The principals of the measured configuration, and their bearer tokens by SHA-256; the tokens themselves
 * are never held. The host hands tokens over: it can say who may call now, never who there is or what anybody may do.
 */
export class Principals {
  readonly #workflows: ReadonlyMap<string, ReadonlySet<string>>;
  #byTokenHash: ReadonlyMap<string, Caller> | null = null;
  #tokenless = false;

  constructor(measured: Config["enclave"]["principals"]) {
    this.#workflows = new Map(measured.map(({ id, workflows }) => [id, new Set(workflows)]));
  }

  /**
   * Refuses a provision message as a whole: without a token only a development instance serves, and every
   * token must be of a measured principal.
   * @throws CmcpError `LISTEN_ADDRESS_REFUSED`, `PRINCIPAL_NOT_MEASURED`
   */
  assertAcceptable(message: Provision, development: boolean): void {
    if (message.tokenless === true && !development) throw new CmcpError("LISTEN_ADDRESS_REFUSED", "without a bearer token the gateway serves in development only");
    const named = message.tokenless === true ? [TOKENLESS.principalId] : message.tokens.map(({ principal }) => principal);
    if (named.some((id) => !this.#workflows.has(id))) throw new CmcpError("PRINCIPAL_NOT_MEASURED", "the provision message names a principal that the launch document does not list");
  }

  /** Takes an acceptable provision message in place of the one before. Until the first, every agent request is refused. */
  provision(message: Provision): void {
    this.#byTokenHash = new Map(message.tokens.map(({ principal, sha256 }) => [sha256, { principalId: principal }]));
    this.#tokenless = message.tokenless === true;
  }

  /** Whether the measured configuration gives a principal a workflow. */
  mayUse(principalId: string, workflow: string): boolean {
    return this.#workflows.get(principalId)?.has(workflow) ?? false;
  }

  /**
   * Finds the caller of a request. Looking a hash up leaks no timing about the token: the attacker does
   * not choose the hash.
   * @throws CmcpError `NOT_PROVISIONED`, `UNAUTHENTICATED`
   */
  authenticate(authorization: string | null): Caller {
    if (this.#byTokenHash === null) throw new CmcpError("NOT_PROVISIONED", "the gateway has not been given its tokens yet");
    if (this.#tokenless && authorization === null) return TOKENLESS;
    const token = BEARER.exec(authorization ?? "")?.[1];
    const caller = token === undefined ? undefined : this.#byTokenHash.get(createHash("sha256").update(token).digest("hex"));
    if (caller === undefined) throw new CmcpError("UNAUTHENTICATED", "the bearer token is missing or not known");
    return caller;
  }
}
