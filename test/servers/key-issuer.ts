/** An authorization server of others, whose keys are fetched: `oidc-provider` over TLS, with keys that a test rotates. */
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import * as oauth from "oauth4webapi";
// @ts-expect-error The package has no types.
import ProviderUntyped from "oidc-provider";
import { Agent, fetch as fetchOver } from "undici";
import { AUDIENCE } from "../gateway/issuer.ts";
import { makeServerCertificate } from "./certificate.ts";

type Handle = (request: IncomingMessage, response: ServerResponse) => void;
type ProviderClass = new (issuer: string, settings: object) => { callback(): Handle; proxy: boolean };
const Provider = ProviderUntyped as ProviderClass;

const SECRET = "a-client-secret-of-the-tests-0123456789";
/** Scopes that its tokens can have. */
const SCOPE = "records:read records:write";

/** A running issuer. */
export interface KeyIssuer {
  readonly url: string;
  /** Address of its JWK set. */
  readonly keySet: string;
  /** What a configuration pins of its server. */
  readonly fingerprint: string;
  /** How often its keys were asked for. */
  readonly asked: () => number;
  /** From here on it has a key of this name, beside those that are kept, and signs with it. */
  rotate(kid: string, kept?: readonly string[]): void;
  /** Answers the next requests for its keys with this, and honestly again after `null`. */
  lie(answer: string | null): void;
  /** A token of the client `desk-7` by the grant of client credentials, bound to the key of `proofs`. */
  grant(scope: string, proofs?: oauth.DPoPHandle): Promise<string>;
  close(): Promise<void>;
}

/** Starts one on a free port of loopback. */
export async function startKeyIssuer(): Promise<KeyIssuer> {
  const certificate = await makeServerCertificate();
  const keys = new Map<string, object>();
  let asked = 0;
  let lie: string | null = null;
  let handle: Handle = (_, response) => void response.writeHead(503).end();
  const server = createServer({ cert: certificate.cert, key: certificate.key }, (request, response) => {
    if (request.url === "/jwks") {
      asked += 1;
      if (lie !== null) return void response.writeHead(200, { "content-type": "application/json" }).end(lie);
    }
    handle(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const rotate = (kid: string, kept: readonly string[] = []): void => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const others = kept.flatMap((name) => (keys.has(name) ? [keys.get(name)] : []));
    keys.set(kid, { ...privateKey.export({ format: "jwk" }), kid, alg: "ES256", use: "sig" });
    handle = new Provider(url, settingsOf([keys.get(kid), ...others])).callback();
  };
  rotate("first");
  const agent = new Agent({ connect: { ca: certificate.cert } });
  const send = async (to: string, init: object): Promise<Response> =>
    await fetchOver(to, { ...init, dispatcher: agent });
  return {
    url,
    keySet: `${url}/jwks`,
    fingerprint: certificate.fingerprint,
    asked: () => asked,
    rotate,
    lie: (answer) => void (lie = answer),
    grant: async (scope, proofs) => await clientCredentials(url, send, { scope, proofs }),
    close: async () => {
      await agent.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function settingsOf(keys: readonly unknown[]): object {
  return {
    jwks: { keys },
    clients: [
      {
        client_id: "desk-7",
        client_secret: SECRET,
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
        scope: SCOPE,
        id_token_signed_response_alg: "ES256",
      },
    ],
    scopes: SCOPE.split(" "),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope: SCOPE,
          audience: AUDIENCE,
          accessTokenFormat: "jwt",
          accessTokenTTL: 600,
          jwt: { sign: { alg: "ES256" } },
        }),
      },
    },
  };
}

async function clientCredentials(
  url: string,
  send: (to: string, init: object) => Promise<Response>,
  { scope, proofs }: { readonly scope: string; readonly proofs: oauth.DPoPHandle | undefined },
): Promise<string> {
  const client = { client_id: "desk-7" };
  const server = { issuer: url, token_endpoint: `${url}/token` };
  const response = await oauth.clientCredentialsGrantRequest(
    server,
    client,
    oauth.ClientSecretBasic(SECRET),
    new URLSearchParams({ scope, resource: AUDIENCE }),
    { ...(proofs === undefined ? {} : { DPoP: proofs }), [oauth.customFetch]: send },
  );
  const granted = await oauth.processClientCredentialsResponse(server, client, response);
  return granted.access_token;
}
