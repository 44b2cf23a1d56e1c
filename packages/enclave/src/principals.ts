import { createHash } from "node:crypto";
import { CmcpError } from "@cmcp/boundary";
import type { Provision } from "@cmcp/launch";

const BEARER = /^Bearer ([\x21-\x7e]{1,4096})$/i;
/** Who calls when no token is configured; possible only on a loopback address in development. */
const TOKENLESS: Caller = { principalId: "development" };

/** Who is calling, as far as the gateway could establish. */
export interface Caller {
  readonly principalId: string;
}

/** Bearer tokens by their SHA-256; the tokens themselves are never held. */
export class Principals {
  #byTokenHash: ReadonlyMap<string, Caller> | null = null;
  #workflows: ReadonlyMap<string, ReadonlySet<string>> = new Map();
  #tokenless = false;
  readonly #measured: ReadonlySet<string>;

  /** @param workflows the workflows of the measured configuration; the host's message can only narrow them. */
  constructor(workflows: readonly string[]) {
    this.#measured = new Set(workflows);
  }

  /** Without a token only a development instance serves. @throws CmcpError `LISTEN_ADDRESS_REFUSED` */
  static assertAcceptable(message: Provision, development: boolean): void {
    if (message.tokenless === true && !development) throw new CmcpError("LISTEN_ADDRESS_REFUSED", "without a bearer token the gateway serves in development only");
  }

  /** Takes the host's provision message. Until then every agent request is refused. */
  provision(message: Provision): void {
    this.#byTokenHash = new Map(message.principals.map((principal) => [principal.token_sha256, { principalId: principal.id }]));
    this.#workflows = new Map(message.principals.map((principal) => [principal.id, new Set(principal.workflows)]));
    this.#tokenless = message.tokenless === true;
  }

  /** Whether a principal may use a workflow that the measured configuration lists. */
  mayUse(principalId: string, workflow: string): boolean {
    if (!this.#measured.has(workflow)) return false;
    return this.#workflows.get(principalId)?.has(workflow) ?? (this.#tokenless && principalId === TOKENLESS.principalId);
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
