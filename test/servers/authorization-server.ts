import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { exportJWK, generateKeyPair, SignJWT, type JWK } from "jose";
// @ts-expect-error oidc-provider has no types of its own.
import ProviderUntyped from "oidc-provider";
import { makeServerCertificate } from "./certificate.ts";
import { recordingRelay, type RecordingRelay } from "./recording-relay.ts";

/** What of oidc-provider is used. */
interface Provider {
  callback(): RequestListener;
  on(event: string, listener: (...args: never[]) => void): void;
  interactionDetails(...exchange: Parameters<RequestListener>): Promise<Interaction>;
  interactionFinished(...args: [...Parameters<RequestListener>, object]): Promise<void>;
  readonly Grant: new (
    of: object,
  ) => {
    addOIDCScope(scope: string): void;
    addResourceScope(resource: string, scope: string): void;
    save(): Promise<string>;
  };
}

interface Interaction {
  readonly params: { readonly client_id: string; readonly resource?: string; readonly scope?: string };
}
const Provider = ProviderUntyped as new (issuer: string, configuration: object) => Provider;

/** An authorization server that others wrote, behind a relay that records what passes. */
export interface AuthorizationServer {
  readonly issuer: string;
  /** What the catalog pins. */
  readonly fingerprint: string;
  /** What tokens are signed with. */
  readonly jwks: { readonly keys: readonly JWK[] };
  /** Every token request that it took, and every token that it gave. */
  readonly requests: readonly Readonly<Record<string, string>>[];
  readonly tokens: readonly string[];
  readonly wire: RecordingRelay;
  /** A token of its own for the gateway's callers. */
  callerToken(subject: string, audience: string): Promise<string>;
  close(): Promise<void>;
}

/** What it knows of clients and resources. */
export interface AuthorizationServerSettings {
  readonly clients: readonly object[];
  /** The one resource that tokens are given for, and its scopes. */
  readonly resource: () => { readonly audience: string; readonly scope: string };
  readonly tokenSeconds?: number;
  /** Who sits at the browser, and consents to what is asked for; `null` refuses. Absent: nobody does. */
  readonly person?: () => string | null;
  /** More of oidc-provider's configuration. */
  readonly configuration?: object;
}

interface TokenContext {
  readonly oidc?: { readonly params?: Record<string, string> };
  readonly body?: { readonly access_token?: string };
}

export async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

const INTERACTION = "/interaction/";

/** A person who logs in and consents to everything, or refuses. */
async function interact(
  provider: Provider,
  { person, resource }: AuthorizationServerSettings,
  ...exchange: Parameters<RequestListener>
): Promise<void> {
  const { params } = await provider.interactionDetails(...exchange);
  const accountId = person?.() ?? null;
  if (accountId === null) {
    await provider.interactionFinished(...exchange, { error: "access_denied" });
    return;
  }
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(`openid ${resource().scope}`);
  if (params.resource !== undefined) grant.addResourceScope(params.resource, resource().scope);
  const consent = { grantId: await grant.save() };
  await provider.interactionFinished(...exchange, { login: { accountId }, consent });
}

/** Starts oidc-provider over TLS, for client credentials with resource indicators. */
export async function startAuthorizationServer(settings: AuthorizationServerSettings): Promise<AuthorizationServer> {
  const certificate = await makeServerCertificate();
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const key = { ...(await exportJWK(privateKey)), alg: "ES256", use: "sig", kid: "as-1" };
  let handle: RequestListener = (_, response) => response.destroy();
  const server = createTlsServer({ cert: certificate.cert, key: certificate.key }, (request, response) =>
    handle(request, response),
  );
  const wire = await recordingRelay(await listening(server));
  const issuer = `https://127.0.0.1:${wire.port}`;
  const { tokenSeconds = 600 } = settings;
  const provider = new Provider(issuer, {
    clients: settings.clients.map((client) => ({ id_token_signed_response_alg: "ES256", ...client })),
    jwks: { keys: [key] },
    // By default it fetches nothing of loopback, where a test's client is.
    fetch: (url: string, { method, headers, signal }: RequestInit) =>
      fetch(url, { method, headers, signal } as RequestInit),
    scopes: ["openid", ...settings.resource().scope.split(" ")],
    findAccount: (_: unknown, accountId: string) => ({ accountId, claims: () => ({ sub: accountId }) }),
    interactions: { url: (_: unknown, { uid }: { readonly uid: string }) => `${INTERACTION}${uid}` },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_: unknown, resource: string) => {
          const { audience, scope } = settings.resource();
          if (resource !== audience) throw new Error("unknown resource");
          return {
            scope,
            audience,
            accessTokenTTL: tokenSeconds,
            accessTokenFormat: "jwt",
            jwt: { sign: { alg: "ES256" } },
          };
        },
      },
    },
    ...settings.configuration,
  });
  const requests: Record<string, string>[] = [];
  const tokens: string[] = [];
  provider.on("grant.success", (context: TokenContext) => {
    requests.push({ ...context.oidc?.params });
    tokens.push(context.body?.access_token ?? "");
  });
  const served = provider.callback();
  handle = (request, response) => {
    if (request.url?.startsWith(INTERACTION) !== true) return served(request, response);
    interact(provider, settings, request, response).catch(() => response.destroy());
  };
  const { d: _, ...publicKey } = key;
  return {
    issuer,
    fingerprint: certificate.fingerprint,
    jwks: { keys: [publicKey] },
    requests,
    tokens,
    wire,
    callerToken: async (subject, audience) =>
      await new SignJWT({ sub: subject })
        .setProtectedHeader({ alg: "ES256", kid: "as-1", typ: "at+jwt" })
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt()
        .setExpirationTime("10m")
        .sign(privateKey),
    close: async () => {
      await wire.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Serves a text on loopback, over plain http. */
export async function serveText(
  text: () => Promise<string>,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer((_, response) => {
    text().then(
      (body) => response.writeHead(200, { "content-type": "application/json" }).end(body),
      () => response.destroy(),
    );
  });
  const port = await listening(server);
  return { url: `http://127.0.0.1:${port}`, close: async () => void server.close() };
}
