import { CmcpError } from "@cmcp/boundary";
import type { ApprovedIssuer, AuthorizationSettings, RemoteServer } from "@cmcp/catalog";
import { OriginFetch, type Dial, type UpstreamTls } from "@cmcp/mcp";
import {
  CallerLogin,
  Clients,
  ID_TOKEN,
  identityAssertion,
  loginLink,
  makeSigningPair,
  ServerAuthorization,
  type ClientProof,
  type ClientSettings,
  type Consents,
  type GrantNames,
  type GrantSettings,
  type SigningPair,
} from "@cmcp/oauth";
import type { Credentials } from "./credentials.ts";
import { RecentMap } from "./recent-map.ts";
import { definitionOf } from "./server-definition.ts";

/** Who an issuer says that a caller is. */
export interface CallerIdentity {
  readonly issuer: string;
  readonly subject: string;
}

/** Whose tokens are asked for. */
interface Caller {
  readonly principalId: string;
  readonly identity?: CallerIdentity | null;
}

/** What tokens for servers are got with. */
export interface AuthorizationsOptions {
  readonly dial: Dial;
  readonly credentials: Pick<Credentials, "value">;
  /** How a server is known. */
  readonly tlsOf: (server: Pick<RemoteServer, "trust" | "settings">) => UpstreamTls;
  /** The key that clients without a secret prove themselves by. */
  readonly clientKey: SigningPair | null;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly monotonic: () => number;
  readonly closing: AbortSignal;
  readonly consents: Consents;
  /** Origin of the gateway's public URL; `null` where the configuration says none. */
  readonly publicOrigin: string | null;
}

/** Paths of the gateway's public URL that browsers and authorization servers use. */
export const CALLBACK_PATH = "/oauth/callback";
export const CLIENT_PATH = "/oauth/client";

/** What authorization servers that register the gateway know it by. */
export const CLIENT_NAME = "cMCP gateway";

/** How a consent came to be the caller's: by a login at an issuer that knows the caller, or by nobody's word. */
type Confirmation = "login" | "unconfirmed";

/** What is shared by all tokens for one server. */
interface ServerParts {
  readonly fetch: OriginFetch["fetch"];
  readonly clients: Clients;
  readonly logins: Clients | null;
  /** A key of its own for each server, so that no two of them can tell by it that they serve one gateway. */
  readonly pair: SigningPair;
}

/** Members of an entry's `detail` that name the grant of its call. */
type GrantDetail = Readonly<Record<string, string>>;

/** A scope that the catalog does not list, as records say it: its server chose the word. */
const OTHER_SCOPE = "(other)";

/** Most tokens that are kept, over all servers and callers. */
const MAX_OPENED = 8_192;

/** One subject's tokens for one server. */
interface Opened {
  readonly authorization: ServerAuthorization;
  /** Absent where no person consents. */
  readonly confirmation: Confirmation | null;
}

function keyOf(server: RemoteServer, caller: Caller | null): string {
  const definition = definitionOf(server);
  if ((server.settings?.authorization?.grant ?? "client_credentials") === "client_credentials") return definition;
  const { principalId, identity } = caller ?? {};
  return `${definition} ${JSON.stringify([principalId, identity?.issuer, identity?.subject])}`;
}

/** Tokens for the servers whose catalog entries have an authorization. They are in memory alone, and go to their server alone. */
export class Authorizations {
  readonly #options: AuthorizationsOptions;
  readonly #servers = new Map<string, Promise<ServerParts>>();
  readonly #opening = new Map<string, Promise<ServerAuthorization>>();
  /** Those that were opened. A caller whose grant gave way consents again. */
  readonly #known = new RecentMap<Opened>(MAX_OPENED);

  constructor(options: AuthorizationsOptions) {
    this.#options = options;
  }

  /** What authorizes requests to a server, made when it is first needed. @throws CmcpError `AUTHORIZATION_REFUSED` for a caller that nobody can confirm */
  async of(server: RemoteServer, settings: AuthorizationSettings, caller: Caller | null): Promise<ServerAuthorization> {
    const key = keyOf(server, caller);
    const known = this.#known.get(key)?.authorization ?? this.#opening.get(key);
    if (known !== undefined) return await known;
    const opening = this.#open(server, settings, caller)
      .then((opened) => {
        this.#known.set(key, opened);
        return opened.authorization;
      })
      .finally(() => this.#opening.delete(key));
    this.#opening.set(key, opening);
    return await opening;
  }

  /** The same, once it was needed. */
  known(server: RemoteServer, caller: Caller | null): ServerAuthorization | null {
    return this.#known.get(keyOf(server, caller))?.authorization ?? null;
  }

  /** What an entry says of the grant that requests to a server have now; nothing where they have none. */
  detailOf(server: RemoteServer, caller: Caller | null): GrantDetail {
    const opened = this.#known.get(keyOf(server, caller));
    const settings = server.settings?.authorization ?? null;
    const names = opened?.authorization.names ?? null;
    if (opened === undefined || names === null || settings === null) return {};
    const { confirmation } = opened;
    return { ...grantDetail(names, settings), ...(confirmation === null ? {} : { grant_confirmation: confirmation }) };
  }

  /** Drops the tokens for a server, of every caller. */
  forget(server: RemoteServer): void {
    const definition = definitionOf(server);
    this.#servers.delete(definition);
    for (const [key] of this.#known.entries()) if (key.startsWith(definition)) this.#known.delete(key);
  }

  async #open(server: RemoteServer, settings: AuthorizationSettings, caller: Caller | null): Promise<Opened> {
    const { now, monotonic } = this.#options;
    const parts = await this.#partsOf(server, settings);
    const isOwn = settings.grant === "client_credentials";
    const confirmation = isOwn ? null : confirmationOf(settings, caller);
    const subject = isOwn ? (settings.clientId ?? "") : (caller?.principalId ?? "");
    const authorization = new ServerAuthorization({
      server: server.url,
      issuers: new Set(settings.issuers.map(({ issuer }) => issuer)),
      clients: parts.clients,
      grant: this.#grantOf(settings, parts, { caller, confirmation }),
      scopes: settings.scopes,
      audience: settings.audience,
      proofs: settings.dpop,
      subject,
      pair: parts.pair,
      fetch: parts.fetch,
      now: () => Math.floor(now() / 1000),
      monotonic,
    });
    return { authorization, confirmation };
  }

  #grantOf(
    settings: AuthorizationSettings,
    { fetch, logins }: ServerParts,
    { caller, confirmation }: { readonly caller: Caller | null; readonly confirmation: Confirmation | null },
  ): GrantSettings {
    if (settings.grant === "client_credentials") return { kind: "client_credentials" };
    const { consents, now: wall, monotonic } = this.#options;
    const [redirectUri, issuer, identity] = [this.#redirectUri, settings.login?.issuer.issuer, caller?.identity];
    const byConsent = { kind: "authorization_code", consents, redirectUri } as const;
    if (confirmation !== "login" || issuer === undefined || logins === null || identity == null) return byConsent;
    const now = (): number => Math.floor(wall() / 1000);
    const login = { issuer, clients: logins, consents, redirectUri, fetch, now };
    const who = { owner: `login ${caller?.principalId}`, subject: identity.subject };
    if (settings.grant === "consent")
      return { ...byConsent, first: async (next) => await loginLink(login, { ...who, next }) };
    const logged = new CallerLogin(login, who, monotonic);
    const identityToken = async (): Promise<string> => await logged.identityToken();
    return settings.grant === "token_exchange"
      ? { kind: "token_exchange", subjectToken: async () => ({ token: await identityToken(), type: ID_TOKEN }) }
      : { kind: "jwt_bearer", assertion: identityAssertion({ issuer, clients: logins, identityToken, fetch, now }) };
  }

  get #redirectUri(): string {
    return `${this.#options.publicOrigin ?? ""}${CALLBACK_PATH}`;
  }

  async #partsOf(server: RemoteServer, settings: AuthorizationSettings): Promise<ServerParts> {
    const known = this.#servers.get(definitionOf(server));
    if (known !== undefined) return await known;
    const made = this.#makeParts(server, settings);
    this.#servers.set(definitionOf(server), made);
    return await made;
  }

  async #makeParts(server: RemoteServer, settings: AuthorizationSettings): Promise<ServerParts> {
    const { dial, closing, tlsOf } = this.#options;
    const issuers: readonly ApprovedIssuer[] = [
      ...settings.issuers,
      ...(settings.login === null ? [] : [settings.login.issuer]),
    ];
    const origins = new Map<string, UpstreamTls>(
      issuers.map(({ issuer, trust }) => [new URL(issuer).origin, tlsOf({ trust })]),
    );
    // Last, as the server may be its own authorization server: it is known by its own entry.
    origins.set(server.url.origin, tlsOf(server));
    const fetching = new OriginFetch(origins, dial, closing);
    const fetch: OriginFetch["fetch"] = async (url, init) => await fetching.fetch(url, init);
    const { login } = settings;
    return {
      fetch,
      clients: new Clients(this.#clientOf(settings.clientId, settings.clientSecret), fetch),
      logins: login === null ? null : new Clients(this.#clientOf(login.clientId, login.clientSecret), fetch),
      pair: await makeSigningPair(),
    };
  }

  #clientOf(id: string | null, secret: string | null): ClientSettings {
    const { publicOrigin } = this.#options;
    if (id !== null) return { kind: "registered", id, proof: this.#proofOf(secret) };
    const metadataUrl = publicOrigin?.startsWith("https:") === true ? `${publicOrigin}${CLIENT_PATH}` : null;
    return { kind: "unregistered", name: CLIENT_NAME, redirectUri: this.#redirectUri, metadataUrl };
  }

  #proofOf(clientSecret: string | null): ClientProof {
    const { credentials, clientKey } = this.#options;
    if (clientSecret !== null) return { kind: "secret", secret: () => credentials.value(clientSecret) };
    return clientKey === null
      ? { kind: "none" }
      : { kind: "key", key: clientKey.privateKey, kid: clientKey.thumbprint };
  }
}

function grantDetail(
  { issuer, kind, subject, audience, scopes, digest }: GrantNames,
  settings: AuthorizationSettings,
): GrantDetail {
  const named = new Set(scopes.map((scope) => (settings.scopes.includes(scope) ? scope : OTHER_SCOPE)));
  return {
    grant_issuer: issuer,
    grant_kind: kind,
    grant_subject: subject,
    grant_audience: audience,
    grant_scopes: [...named].join(" "),
    grant_digest: digest,
  };
}

/**
 * How a consent of this caller is confirmed.
 * @throws CmcpError `AUTHORIZATION_REFUSED` where nothing can show that whoever consents is the caller
 */
function confirmationOf({ login, unconfirmed }: AuthorizationSettings, caller: Caller | null): Confirmation {
  if (caller?.identity != null && caller.identity.issuer === login?.issuer.issuer) return "login";
  if (unconfirmed && caller !== null) return "unconfirmed";
  throw new CmcpError(
    "AUTHORIZATION_REFUSED",
    "this server needs a person's consent, and nothing could show that whoever consents is the caller",
    { detail: { sent: 0 } },
  );
}
