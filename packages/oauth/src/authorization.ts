import { acquire, refresh, type Discovered } from "./acquire.ts";
import { readChallenge, type Challenge } from "./challenge.ts";
import { asAuthorizationFault, isClientLost, isGrantLost } from "./fault.ts";
import type { Grant, GrantNames } from "./grant.ts";
import { boundedFetch } from "./http.ts";
import { MAX_STEP_UPS } from "./limits.ts";
import { proofFor, readNonce, type ProvenRequest } from "./proof.ts";
import { findResourceMetadata } from "./resource-metadata.ts";
import { chooseScopes } from "./scopes.ts";
import { approvedIssuer, findServerMetadata } from "./server-metadata.ts";
import type { AuthorizationOptions } from "./settings.ts";

/** What a server's answer says about authorization, and the headers that its request had. */
export interface AnsweredRequest {
  readonly status: number;
  readonly header: (name: string) => string | null;
  readonly sent: Readonly<Record<string, string>>;
}

/** Why a request may be made once more: the server refused it before it ran, for want of this. */
export type Remedy = "proof" | "token" | "scopes";

/** A request that changes nothing, and that a server which wants a token answers with its challenge. */
const PROBE = JSON.stringify({ jsonrpc: "2.0", id: 0, method: "ping" });

/** The tokens of one subject for one tool server: got when they are needed, and kept in memory alone. */
export class ServerAuthorization {
  readonly #options: AuthorizationOptions;
  #grant: Grant | null = null;
  #acquiring: Promise<Grant> | null = null;
  #challenge: Challenge | null = null;
  #probed = false;
  /** Scopes that were asked for, and are asked for again with what a challenge adds. */
  #scopes: readonly string[] = [];
  #stepUps = 0;
  #nonce: string | null = null;

  constructor(options: AuthorizationOptions) {
    this.#options = { ...options, fetch: boundedFetch(options.fetch) };
    this.#probe = async (): Promise<Challenge | null> => {
      const { href } = options.server;
      const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
      const response = await options.fetch(href, { method: "POST", headers, body: PROBE, redirect: "manual" });
      await response.body?.cancel();
      return response.status === 401 ? readChallenge(response.headers.get("www-authenticate")) : null;
    };
  }

  readonly #probe: () => Promise<Challenge | null>;

  /** The grant at hand, as records name it; `null` before there is one. */
  get names(): GrantNames | null {
    if (this.#grant === null) return null;
    const { issuer, kind, subject, audience, scopes, digest } = this.#grant;
    return { issuer, kind, subject, audience, scopes, digest };
  }

  /**
   * Headers that authorize one request, with a token that is got first if there is none.
   * @throws ConsentRequired where only a person can give it; CmcpError `AUTHORIZATION_*` where it cannot be got
   */
  async headers(request: ProvenRequest): Promise<Readonly<Record<string, string>>> {
    const grant = await this.#current();
    if (grant.type === "bearer") return { authorization: `Bearer ${grant.accessToken}` };
    const { pair, now } = this.#options;
    const proof = await proofFor(request, { pair, accessToken: grant.accessToken, nonce: this.#nonce, now: now() });
    return { authorization: `DPoP ${grant.accessToken}`, dpop: proof };
  }

  /** Reads what an answer says about authorization. @returns what has changed, so that the request may be made once more; `null` for nothing */
  answered({ status, header, sent }: AnsweredRequest): Remedy | null {
    this.#nonce = readNonce(header("dpop-nonce")) ?? this.#nonce;
    if (status !== 401 && status !== 403) return null;
    const challenge = readChallenge(header("www-authenticate"));
    if (status === 403) return this.#stepUp(challenge);
    if (challenge?.error === "use_dpop_nonce" && this.#nonce !== null) return "proof";
    this.#challenge = challenge ?? this.#challenge;
    // Another request may have had the token renewed meanwhile.
    if (this.#grant !== null && sent["authorization"]?.endsWith(` ${this.#grant.accessToken}`) === true) this.#expire();
    return "token";
  }

  /** Makes a refused token due, and keeps what renews it. */
  #expire(): void {
    this.#grant = this.#grant?.refreshToken == null ? null : { ...this.#grant, until: 0 };
  }

  /** MCP 2025-11-25, "Step-Up Authorization Flow": what was asked for before is asked for again, and at most a few times more. */
  #stepUp(challenge: Challenge | null): Remedy | null {
    if (challenge?.error !== "insufficient_scope" || challenge.scopes === null) return null;
    const more = challenge.scopes.filter((scope) => !this.#scopes.includes(scope));
    if (more.length === 0 || this.#stepUps >= MAX_STEP_UPS) return null;
    this.#stepUps += 1;
    this.#challenge = challenge;
    this.#grant = null;
    return "scopes";
  }

  async #current(): Promise<Grant> {
    if (this.#grant !== null && this.#options.monotonic() < this.#grant.until) return this.#grant;
    this.#acquiring ??= this.#renewed().finally(() => (this.#acquiring = null));
    return await this.#acquiring;
  }

  async #renewed(): Promise<Grant> {
    const { clients } = this.#options;
    let issuer: string | null = null;
    try {
      const discovered = await this.#discover();
      issuer = discovered.metadata.issuer;
      const granted = (grant: Grant): Grant => (this.#grant = grant);
      const renewed = await this.#refreshed(discovered);
      if (renewed !== null) return granted(renewed);
      this.#grant = null;
      return granted(await acquire(discovered, this.#options, granted));
    } catch (thrown) {
      if (issuer !== null && isClientLost(thrown)) clients.forget(issuer);
      throw asAuthorizationFault(thrown);
    }
  }

  /** The grant renewed by its refresh token; `null` where it has none, or its issuer says that it counts no longer. */
  async #refreshed(discovered: Discovered): Promise<Grant | null> {
    const grant = this.#grant;
    // A refresh token is the issuer's that gave it, and is shown to no other.
    if (grant === null || grant.refreshToken === null || grant.issuer !== discovered.metadata.issuer) return null;
    try {
      return await refresh(grant, discovered, this.#options);
    } catch (thrown) {
      if (isGrantLost(thrown)) return null;
      throw thrown;
    }
  }

  async #discover(): Promise<Discovered> {
    const { server, issuers, clients, fetch } = this.#options;
    if (this.#challenge === null && !this.#probed) {
      this.#challenge = await this.#probe();
      this.#probed = true;
    }
    const resource = await findResourceMetadata(server, this.#challenge, fetch);
    const issuer = approvedIssuer(resource.servers, issuers);
    const metadata = await findServerMetadata(issuer, fetch);
    const scopes = chooseScopes(
      { challenged: this.#challenge?.scopes ?? null, supported: resource.scopes, earlier: this.#scopes },
      this.#options.scopes,
    );
    this.#scopes = scopes;
    const { proofs } = this.#options;
    const offered =
      metadata.dpop_signing_alg_values_supported?.includes("ES256") === true &&
      (resource.wantsProofs || this.#challenge?.schemes.has("dpop") === true);
    return {
      resource,
      metadata,
      client: await clients.at(metadata),
      proven: proofs === "required" || (proofs === "offered" && offered),
      scopes: this.#withOfflineAccess(scopes, metadata.scopes_supported ?? []),
    };
  }

  /** A refresh token is asked for where the server says how, so that a person is asked once (OIDC core section 11). */
  #withOfflineAccess(scopes: readonly string[], supported: readonly string[]): readonly string[] {
    const { grant, scopes: approved } = this.#options;
    const asks =
      grant.kind === "authorization_code" &&
      supported.includes("offline_access") &&
      (approved === null || approved.includes("offline_access"));
    return asks ? [...new Set([...scopes, "offline_access"])] : scopes;
  }
}
