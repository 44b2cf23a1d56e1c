import assert from "node:assert/strict";
import { CmcpError } from "@cmcp/boundary";
import { Clients } from "../clients.ts";
import { Consents } from "../consents.ts";
import { ServerAuthorization, type AnsweredRequest } from "../authorization.ts";
import type { ClientSettings } from "../client.ts";
import type { HttpInit } from "../http.ts";
import { makeSigningPair } from "../keys.ts";
import type { AuthorizationOptions, GrantSettings } from "../settings.ts";

export const SERVER = "https://tools.example/mcp";
export const ISSUER = "https://login.example";
export const TOKEN = `${ISSUER}/token`;
export const REDIRECT_URI = "https://gateway.example/oauth/callback";

/** One request that reached the world. */
export interface Seen {
  readonly url: string;
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body: string;
  readonly form: URLSearchParams;
}

type Answer = (seen: Seen) => Response | Promise<Response>;

/** A JSON response. */
export function json(value: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(value), { status, headers: { "content-type": "application/json", ...headers } });
}

/** A tool server and an authorization server, as far as a client sees them, in memory. */
export class World {
  readonly seen: Seen[] = [];
  readonly answers = new Map<string, Answer>();
  /** Monotonic milliseconds. */
  now = 1_000;
  #tokens = 0;

  constructor() {
    this.answers.set(SERVER, () => new Response(null, { status: 401, headers: { "www-authenticate": "Bearer" } }));
    this.resource({});
    this.issuer({});
    this.token({});
  }

  /** Publishes protected resource metadata. */
  resource(changes: object): void {
    const document = { resource: SERVER, authorization_servers: [ISSUER], ...changes };
    this.answers.set("https://tools.example/.well-known/oauth-protected-resource/mcp", () => json(document));
  }

  /** Publishes authorization server metadata. */
  issuer(changes: object): void {
    const document = {
      issuer: ISSUER,
      authorization_endpoint: `${ISSUER}/authorize`,
      token_endpoint: `${ISSUER}/token`,
      code_challenge_methods_supported: ["S256"],
      ...changes,
    };
    this.answers.set(`${ISSUER}/.well-known/oauth-authorization-server`, () => json(document));
  }

  /** Has the token endpoint answer with a token of its own each time. */
  token(changes: object, status = 200): void {
    this.answers.set(`${ISSUER}/token`, () => {
      this.#tokens += 1;
      const issued = { access_token: `token-${this.#tokens}`, token_type: "Bearer", expires_in: 3600 };
      return json(status === 200 ? { ...issued, ...changes } : changes, status);
    });
  }

  /** Requests to one URL. */
  to(url: string): Seen[] {
    return this.seen.filter((seen) => seen.url === url);
  }

  readonly fetch = async (url: string, { method, headers, body, signal }: HttpInit): Promise<Response> => {
    signal?.throwIfAborted();
    const text = body?.toString() ?? "";
    const seen = { url, method, headers, body: text, form: new URLSearchParams(text) };
    this.seen.push(seen);
    const answer = this.answers.get(url);
    return answer === undefined ? new Response("", { status: 404 }) : await answer(seen);
  };
}

/** A client with a secret. */
export const WITH_SECRET: ClientSettings = {
  kind: "registered",
  id: "gateway",
  proof: { kind: "secret", secret: () => "client-secret-value" },
};

/** A grant by a person's consent, and the consents that wait. */
export function byConsent(world: World): { readonly grant: GrantSettings; readonly consents: Consents } {
  const consents = new Consents(() => world.now);
  return { consents, grant: { kind: "authorization_code", consents, redirectUri: REDIRECT_URI } };
}

/** What authorizes requests to the tool server of a world. */
export async function authorizationIn(
  world: World,
  changes: Partial<AuthorizationOptions> & { readonly client?: ClientSettings } = {},
): Promise<ServerAuthorization> {
  const { client = WITH_SECRET, ...options } = changes;
  return new ServerAuthorization({
    server: new URL(SERVER),
    issuers: new Set([ISSUER]),
    clients: new Clients(client, world.fetch),
    grant: { kind: "client_credentials" },
    scopes: null,
    audience: null,
    proofs: "never",
    subject: "clinic",
    pair: await makeSigningPair(),
    fetch: world.fetch,
    now: () => 1_800_000_000,
    monotonic: () => world.now,
    ...options,
  });
}

/** A request to the tool server. */
export const REQUEST = { method: "POST", url: new URL(SERVER) };

/** An answer that refuses a request with a challenge. @param sent headers that the request had */
export function refusal(sent: Readonly<Record<string, string>>, challenge: string, status = 401): AnsweredRequest {
  return { status, sent, header: (name) => (name === "www-authenticate" ? challenge : null) };
}

/** The link of a consent that is required. */
export async function linkOf(work: Promise<unknown>): Promise<URL> {
  const thrown: unknown = await work.then(
    () => null,
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof CmcpError && thrown.code === "CONSENT_REQUIRED", String(thrown));
  return new URL(String(thrown.detail["consent_url"]));
}

/** What a browser brings back from a link. */
export const back = (link: URL, changes: Record<string, string> = { code: "the-code" }): string =>
  new URLSearchParams({ state: link.searchParams.get("state") ?? "", ...changes }).toString();
