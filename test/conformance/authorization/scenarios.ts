import { createPrivateKey } from "node:crypto";
import type { ErrorCode } from "@cmcp/boundary";
import { Clients, identityAssertion, type ClientSettings, type Consents, type GrantSettings } from "@cmcp/oauth";
import * as z from "zod";

/** Where the suite's authorization servers send a browser back to; it is read there, and never asked for. */
const REDIRECT_URI = "https://gateway.example/oauth/callback";
/** The one client metadata document that the suite knows. */
const METADATA_URL = "https://conformance-test.local/client-metadata.json";

/** What an operator would have configured. */
export interface Configured {
  readonly client: ClientSettings;
  readonly grant: GrantSettings;
}

/** One scenario: what is configured for it, and how the agent's requests have to end. */
export interface AuthorizationScenario {
  readonly configure: (context: unknown, consents: Consents) => Promise<Configured>;
  /** The code of the error that has to end them; `null` where they have to succeed. */
  readonly ends: ErrorCode | null;
}

const withConsent = (client: ClientSettings, consents: Consents): Configured => ({
  client,
  grant: { kind: "authorization_code", consents, redirectUri: REDIRECT_URI },
});

function byConsent(ends: ErrorCode | null = null): AuthorizationScenario {
  const client: ClientSettings = {
    kind: "unregistered",
    name: "cMCP gateway",
    redirectUri: REDIRECT_URI,
    metadataUrl: METADATA_URL,
  };
  return { configure: async (_, consents) => withConsent(client, consents), ends };
}

const secretSchema = z.object({ client_id: z.string(), client_secret: z.string() });

function withSecret(context: unknown): ClientSettings {
  const { client_id: id, client_secret: secret } = secretSchema.parse(context);
  return { kind: "registered", id, proof: { kind: "secret", secret: () => secret } };
}

const preRegistered: AuthorizationScenario = {
  configure: async (context, consents) => withConsent(withSecret(context), consents),
  ends: null,
};

const byClientSecret: AuthorizationScenario = {
  configure: async (context) => ({ client: withSecret(context), grant: { kind: "client_credentials" } }),
  ends: null,
};

const keySchema = z.object({ client_id: z.string(), private_key_pem: z.string() });

/** The suite makes the key: its authorization server has to know it, and takes no key of the client's making. */
const byClientKey: AuthorizationScenario = {
  configure: async (context) => {
    const { client_id: id, private_key_pem: pem } = keySchema.parse(context);
    const jwk = createPrivateKey(pem).export({ format: "jwk" });
    const key = await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
    return {
      client: { kind: "registered", id, proof: { kind: "key", key } },
      grant: { kind: "client_credentials" },
    };
  },
  ends: null,
};

const enterpriseSchema = z.object({ idp_client_id: z.string(), idp_id_token: z.string(), idp_issuer: z.string() });

const byIdentityAssertion: AuthorizationScenario = {
  configure: async (context) => {
    const { idp_client_id: id, idp_id_token: token, idp_issuer: issuer } = enterpriseSchema.parse(context);
    const assertion = identityAssertion({
      issuer,
      clients: new Clients({ kind: "registered", id, proof: { kind: "none" } }, fetch),
      identityToken: async () => token,
      fetch,
      now: () => Math.floor(Date.now() / 1000),
    });
    return { client: withSecret(context), grant: { kind: "jwt_bearer", assertion } };
  },
  ends: null,
};

const workloadSchema = z.object({ client_id: z.string(), valid_jwt: z.string() });

const byWorkloadIdentity: AuthorizationScenario = {
  configure: async (context) => {
    const { client_id: id, valid_jwt: token } = workloadSchema.parse(context);
    return {
      client: { kind: "registered", id, proof: { kind: "none" } },
      grant: { kind: "jwt_bearer", assertion: async () => token },
    };
  },
  ends: null,
};

/** By the suite's name. One that is not here fails: none is passed over. */
export const AUTHORIZATION_SCENARIOS: ReadonlyMap<string, AuthorizationScenario> = new Map([
  ["auth/metadata-default", byConsent()],
  ["auth/metadata-var1", byConsent()],
  ["auth/metadata-var2", byConsent()],
  ["auth/metadata-var3", byConsent()],
  ["auth/basic-cimd", byConsent()],
  ["auth/scope-from-www-authenticate", byConsent()],
  ["auth/scope-from-scopes-supported", byConsent()],
  ["auth/scope-omitted-when-undefined", byConsent()],
  ["auth/scope-step-up", byConsent()],
  ["auth/scope-retry-limit", byConsent("UPSTREAM_PROTOCOL_ERROR")],
  ["auth/token-endpoint-auth-basic", byConsent()],
  ["auth/token-endpoint-auth-post", byConsent()],
  ["auth/token-endpoint-auth-none", byConsent()],
  ["auth/pre-registration", preRegistered],
  ["auth/resource-mismatch", byConsent("AUTHORIZATION_METADATA_INVALID")],
  ["auth/offline-access-scope", byConsent()],
  ["auth/offline-access-not-supported", byConsent()],
  ["auth/authorization-server-migration", byConsent()],
  ["auth/iss-supported", byConsent()],
  ["auth/iss-not-advertised", byConsent()],
  ["auth/iss-supported-missing", byConsent("AUTHORIZATION_RESPONSE_INVALID")],
  ["auth/iss-wrong-issuer", byConsent("AUTHORIZATION_RESPONSE_INVALID")],
  ["auth/iss-unexpected", byConsent("AUTHORIZATION_RESPONSE_INVALID")],
  ["auth/iss-normalized", byConsent("AUTHORIZATION_RESPONSE_INVALID")],
  ["auth/metadata-issuer-mismatch", byConsent("AUTHORIZATION_METADATA_INVALID")],
  ["auth/client-credentials-jwt", byClientKey],
  ["auth/client-credentials-basic", byClientSecret],
  ["auth/enterprise-managed-authorization", byIdentityAssertion],
  ["auth/dpop", byConsent()],
  ["auth/dpop-nonce", byConsent()],
  ["auth/wif-jwt-bearer", byWorkloadIdentity],
]);
