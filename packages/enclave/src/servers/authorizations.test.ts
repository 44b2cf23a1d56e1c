import assert from "node:assert/strict";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import type { AuthorizationSettings, RemoteServer } from "@cmcp/catalog";
import { Consents, makeSigningPair } from "@cmcp/oauth";
import { remoteServer } from "../testing/servers.ts";
import { Authorizations } from "./authorizations.ts";

interface Scene {
  readonly server: RemoteServer;
  readonly issuer: string;
  readonly consents: Consents;
  /** Paths that were asked for, in order. */
  readonly asked: string[];
  /** Forms that the token endpoint got. */
  readonly forms: URLSearchParams[];
  readonly authorizations: Authorizations;
}

/** The nonce of the login under way, which its identity token repeats. */
let nonce = "";

function identityToken(issuer: string): string {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: issuer, aud: "gateway", sub: "ada", nonce, iat: now, exp: now + 60 };
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "ES256" })}.${part(claims)}.${Buffer.alloc(64).toString("base64url")}`;
}

const ID_JAG = "urn:ietf:params:oauth:token-type:id-jag";

function tokensFor(form: URLSearchParams, issuer: string): object {
  if (form.get("requested_token_type") === ID_JAG)
    return { access_token: "the.assertion", issued_token_type: ID_JAG, token_type: "N_A" };
  const token = { access_token: "the-token", token_type: "Bearer", expires_in: 60, scope: "read call-me" };
  return form.get("code") === "login" ? { ...token, id_token: identityToken(issuer) } : token;
}

/** A tool server that is its own authorization server, over plain http. */
async function scene(t: TestContext): Promise<Scene> {
  const asked: string[] = [];
  const forms: URLSearchParams[] = [];
  const http = createServer((request, response) => {
    asked.push(request.url ?? "");
    const documents: Record<string, object> = {
      "/.well-known/oauth-protected-resource/mcp": { resource: `${issuer}/mcp`, authorization_servers: [issuer] },
      "/.well-known/oauth-authorization-server": {
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        code_challenge_methods_supported: ["S256"],
        id_token_signing_alg_values_supported: ["ES256"],
      },
    };
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      const form = new URLSearchParams(body);
      if (request.url === "/token") forms.push(form);
      const document = request.url === "/token" ? tokensFor(form, issuer) : documents[request.url ?? ""];
      response.writeHead(document === undefined ? 401 : 200, { "content-type": "application/json" });
      response.end(JSON.stringify(document ?? {}));
    });
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => http.once("listening", resolve));
  const issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const closing = new AbortController();
  t.after(() => {
    closing.abort();
    http.closeAllConnections();
    http.close();
  });
  const consents = new Consents(() => performance.now());
  const authorizations = new Authorizations({
    dial: async (host, port) => connect(port, host),
    credentials: { value: () => "secret" },
    tlsOf: () => ({ mode: "none" }),
    clientKey: await makeSigningPair(),
    now: Date.now,
    monotonic: () => performance.now(),
    closing: closing.signal,
    consents,
    publicOrigin: "https://gateway.example",
  });
  return { server: remoteServer(new URL(`${issuer}/mcp`)), issuer, consents, asked, forms, authorizations };
}

function settingsOf(issuer: string, changes: Partial<AuthorizationSettings>): AuthorizationSettings {
  return {
    grant: "consent",
    clientId: "gateway",
    clientSecret: null,
    scopes: ["read"],
    audience: null,
    issuers: [{ issuer, trust: null }],
    dpop: "offered",
    login: null,
    unconfirmed: false,
    ...changes,
  };
}

const withSettings = (server: RemoteServer, authorization: AuthorizationSettings): RemoteServer => ({
  ...server,
  settings: {
    name: "server",
    era: "auto",
    credential: null,
    clientCertificate: false,
    authorization,
    provenance: null,
  },
});
const REQUEST = { method: "POST", url: new URL("http://127.0.0.1/mcp") };
const ADA = { issuer: "https://staff.example", subject: "ada" };

test("where nothing can show that whoever consents is the caller, nobody is asked and nothing is sent", async (t) => {
  const { server, issuer, asked, authorizations } = await scene(t);
  const login = { issuer: { issuer: "http://other.example", trust: null }, clientId: "gateway", clientSecret: null };
  for (const settings of [settingsOf(issuer, {}), settingsOf(issuer, { login })])
    for (const caller of [null, { principalId: "clinic" }, { principalId: "clinic", identity: ADA }])
      await assert.rejects(authorizations.of(withSettings(server, settings), settings, caller), {
        code: "AUTHORIZATION_REFUSED",
      });
  assert.deepEqual(asked, []);
});

test("an unconfirmed consent counts where the catalog says so, for its principal alone, and the record says so", async (t) => {
  const { server, issuer, consents, authorizations } = await scene(t);
  const settings = settingsOf(issuer, { unconfirmed: true });
  const named = withSettings(server, settings);
  const [clinic, other] = [{ principalId: "clinic" }, { principalId: "other" }];
  const authorization = await authorizations.of(named, settings, clinic);
  const thrown = await authorization.headers(REQUEST).catch((error: unknown) => error);
  assert.ok(thrown instanceof CmcpError && thrown.code === "CONSENT_REQUIRED");
  const link = new URL(String(thrown.detail["consent_url"]));
  assert.equal(link.searchParams.get("redirect_uri"), "https://gateway.example/oauth/callback");
  assert.deepEqual(authorizations.detailOf(named, clinic), {});
  assert.equal(await consents.complete(`code=c&state=${link.searchParams.get("state")}`), null);
  assert.deepEqual(await authorization.headers(REQUEST), { authorization: "Bearer the-token" });
  const { grant_digest: digest, ...detail } = authorizations.detailOf(named, clinic);
  assert.deepEqual(detail, {
    grant_issuer: issuer,
    grant_kind: "authorization_code",
    grant_subject: "clinic",
    grant_audience: `${issuer}/mcp`,
    // What the catalog does not list is the authorization server's own word.
    grant_scopes: "read (other)",
    grant_confirmation: "unconfirmed",
  });
  assert.match(digest ?? "", /^[\w-]{43}$/);
  await assert.rejects((await authorizations.of(named, settings, other)).headers(REQUEST), {
    code: "CONSENT_REQUIRED",
  });
  assert.deepEqual(authorizations.detailOf(named, other), {});
});

test("the gateway's own token is one for all callers", async (t) => {
  const { server, issuer, asked, authorizations } = await scene(t);
  const settings = settingsOf(issuer, { grant: "client_credentials" });
  const named = withSettings(server, settings);
  for (const caller of [null, { principalId: "clinic" }, { principalId: "other", identity: ADA }])
    await (await authorizations.of(named, settings, caller)).headers(REQUEST);
  assert.equal(asked.filter((path) => path === "/token").length, 1);
  assert.equal(authorizations.detailOf(named, { principalId: "clinic" })["grant_subject"], "gateway");
});

for (const [grant, kind, tokenParameter] of [
  ["token_exchange", "token_exchange", "subject_token"],
  ["identity_assertion", "jwt_bearer", "assertion"],
] as const) {
  test(`${grant}: the caller's own login gives an identity token to the gateway, and that one is exchanged`, async (t) => {
    const { server, issuer, consents, forms, authorizations } = await scene(t);
    const login = { issuer: { issuer, trust: null }, clientId: "gateway", clientSecret: null };
    const settings = settingsOf(issuer, { grant, login });
    const named = withSettings(server, settings);
    const ada = { principalId: "clinic", identity: { issuer, subject: "ada" } };
    const authorization = await authorizations.of(named, settings, ada);
    const thrown: unknown = await authorization.headers(REQUEST).catch((error: unknown) => error);
    assert.ok(thrown instanceof CmcpError && thrown.code === "CONSENT_REQUIRED", String(thrown));
    const link = new URL(String(thrown.detail["consent_url"]));
    nonce = link.searchParams.get("nonce") ?? "";
    assert.equal(await consents.complete(`code=login&state=${link.searchParams.get("state")}`), null);
    assert.deepEqual(await authorization.headers(REQUEST), { authorization: "Bearer the-token" });
    const exchanged = forms.find((form) => form.has("subject_token"));
    assert.equal(exchanged?.get("subject_token"), identityToken(issuer));
    assert.equal(
      forms.at(-1)?.get(tokenParameter),
      grant === "token_exchange" ? identityToken(issuer) : "the.assertion",
    );
    assert.equal(forms.at(-1)?.get("resource"), `${issuer}/mcp`);
    const { grant_kind, grant_confirmation, grant_subject } = authorizations.detailOf(named, ada);
    assert.deepEqual([grant_kind, grant_confirmation, grant_subject], [kind, "login", "clinic"]);
    await assert.rejects(authorizations.of(named, settings, { principalId: "clinic" }), {
      code: "AUTHORIZATION_REFUSED",
    });
  });
}
