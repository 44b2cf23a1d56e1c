/** Tokens for tool servers, from an authorization server that others wrote, for a server behind the SDK's bearer authentication. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { developmentEnvironment, startGateway, type Gateway } from "../gateway/gateway.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { serveText, startAuthorizationServer, type AuthorizationServer } from "../servers/authorization-server.ts";
import { startProtectedServer, type ProtectedServer } from "../servers/protected-server.ts";

const TOKEN = "token-of-the-agent-0123456789abcdefghij";
const SECRET = "secret-of-the-gateway-at-its-authorization-server";
const SCOPE = "records:read";

/** A client of the authorization server that gets tokens for itself. */
const client = (id: string, more: object): object => ({
  client_id: id,
  grant_types: ["client_credentials"],
  redirect_uris: [],
  response_types: [],
  ...more,
});

interface Scene {
  readonly server: ProtectedServer;
  readonly issuer: AuthorizationServer;
  readonly gateway: Gateway;
  readonly folder: string;
  call(): Promise<string>;
  /** Members of the entries of calls, by the audit export. */
  details(): Promise<JsonObject[]>;
  close(): Promise<void>;
}

/** Starts a gateway whose catalog has an authorization for the one server. */
async function startScene(
  authorization: JsonObject,
  { issuers }: { readonly issuers?: (issuer: AuthorizationServer) => JsonObject[] } = {},
): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-authorization-"));
  const server = await startProtectedServer(SCOPE);
  let gateway: Gateway | undefined;
  const jwks = await serveText(async () => await (await fetch(`${gateway?.url ?? ""}/oauth/jwks`)).text());
  const byKey = { token_endpoint_auth_method: "private_key_jwt", token_endpoint_auth_signing_alg: "ES256" };
  const issuer = await startAuthorizationServer({
    clients: [
      client("gateway", { ...byKey, jwks_uri: jwks.url }),
      client("gateway-with-secret", { client_secret: SECRET, token_endpoint_auth_method: "client_secret_basic" }),
    ],
    resource: () => ({ audience: server.url, scope: SCOPE }),
  });
  server.trust(issuer);
  const approved = issuers?.(issuer) ?? [{ issuer: issuer.issuer, tls_fingerprint: issuer.fingerprint }];
  const config = await deploy(folder, {
    tools: [{ name: "ledger", url: server.url, fingerprint: server.fingerprint }],
    servers: [
      {
        name: "ledger",
        url: server.url,
        tls_fingerprint: server.fingerprint,
        authorization: { grant: "client_credentials", scopes: [SCOPE], issuers: approved, ...authorization },
      },
    ],
    policies: ALLOW_ALL,
    config: "audit_db_path: audit.db\nenclave: {credentials_file: credentials}\n",
  });
  const secret = authorization["client_secret"];
  await writeFile(join(folder, "credentials"), typeof secret === "string" ? `${secret} ${SECRET}\n` : "# none\n", {
    mode: 0o600,
  });
  gateway = await startGateway(config, developmentEnvironment(TOKEN));
  const { url, mcp } = gateway;
  const headers = {
    authorization: `Bearer ${TOKEN}`,
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
  };
  const body = JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name: "ledger", arguments: {}, _cmcp: { session_id: "s" } },
  });
  return {
    server,
    issuer,
    gateway,
    folder,
    call: async () => await (await fetch(mcp, { method: "POST", headers, body })).text(),
    details: async () => {
      const exported = (await (await fetch(`${url}/audit/export?session_id=s`, { headers })).json()) as {
        readonly entries: { readonly entry_type: string; readonly detail: JsonObject }[];
      };
      return exported.entries.filter(({ entry_type: type }) => type === "tool_call").map(({ detail }) => detail);
    },
    close: async () => {
      await gateway?.stop();
      await Promise.all([server.close(), issuer.close(), jwks.close()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

describe("a server that wants a token of its authorization server", { timeout: 120_000 * PATIENCE }, () => {
  let scene: Scene;
  before(async () => {
    scene = await startScene({ client_id: "gateway" });
  });
  after(async () => await scene?.close());

  test("is called with one that the enclave got by a key of its own", async () => {
    const { server, issuer } = scene;
    assert.match(await scene.call(), /found/);
    assert.match(await scene.call(), /found/);
    assert.equal(server.calls(), 2);
    assert.equal(issuer.tokens.length, 1, "the token is kept");
    assert.deepEqual([...new Set(server.tokens)], [null, issuer.tokens[0]], "one request without, for the challenge");
    assert.equal(server.tokens.filter((token) => token === null).length, 1);
    const [asked] = issuer.requests;
    assert.deepEqual([asked?.["resource"], asked?.["scope"]], [server.url, SCOPE]);
    assert.match(asked?.["client_assertion"] ?? "", /^[\w-]+\.[\w-]+\.[\w-]+$/);
  });

  test("has its grant named by the entry of each call", async () => {
    const [detail] = await scene.details();
    const { server, issuer } = scene;
    assert.deepEqual(
      {
        issuer: detail?.["grant_issuer"],
        kind: detail?.["grant_kind"],
        subject: detail?.["grant_subject"],
        audience: detail?.["grant_audience"],
        scopes: detail?.["grant_scopes"],
      },
      { issuer: issuer.issuer, kind: "client_credentials", subject: "gateway", audience: server.url, scopes: SCOPE },
    );
    const hashed = await crypto.subtle.digest(
      "SHA-256",
      new TextEncoder().encode(`cmcp-grant-v1|${issuer.issuer}|${issuer.tokens[0]}`),
    );
    assert.equal(detail?.["grant_digest"], Buffer.from(hashed).toString("base64url"));
  });

  test("gets another one after it refused the first, and runs the call once", async () => {
    const { server, issuer } = scene;
    const before = server.calls();
    server.revoke(issuer.tokens.at(-1) ?? "");
    assert.match(await scene.call(), /found/);
    assert.equal(server.calls(), before + 1);
    assert.equal(issuer.tokens.length, 2);
    assert.equal(server.tokens.at(-1), issuer.tokens[1]);
  });

  test("shows the host neither token nor assertion nor key, in what it relays, stores, logs or passes to agents", async () => {
    const { server, issuer, gateway, folder } = scene;
    const seen = [
      server.wire.bytes(),
      issuer.wire.bytes(),
      await readFile(join(folder, "audit.db")),
      await readFile(join(folder, "audit.db-wal")).catch(() => Buffer.alloc(0)),
      Buffer.from(gateway.log()),
      Buffer.from(await scene.call()),
      Buffer.from(await (await fetch(`${gateway.url}/oauth/jwks`)).text()),
    ].map((bytes) => bytes.toString("latin1"));
    assert.ok(
      seen.slice(0, 3).every((text) => text.length > 1_000),
      "there is something to look at",
    );
    const assertions = issuer.requests.map((request) => request["client_assertion"] ?? "");
    for (const secret of [...issuer.tokens, ...assertions, SECRET, TOKEN, '"d":'])
      assert.ok(secret.length > 3 && seen.every((text) => !text.includes(secret)), secret.slice(0, 12));
  });

  test("knows the key by the instance's report", async () => {
    const { gateway } = scene;
    const { keys } = (await (await fetch(`${gateway.url}/oauth/jwks`)).json()) as {
      readonly keys: { readonly kid: string }[];
    };
    const report = (await (await fetch(`${gateway.url}/attestation`)).json()) as {
      readonly binding: { readonly keys: Record<string, string> };
    };
    assert.equal(keys.length, 1);
    assert.equal(report.binding.keys["oauth"], keys[0]?.kid);
  });
});

test("a client secret is provisioned, and an authorization server that is not listed gets none of it", {
  timeout: 120_000 * PATIENCE,
}, async (t) => {
  const named = { client_id: "gateway-with-secret", client_secret: "ledger-secret" };
  const scene = await startScene(named);
  t.after(() => scene.close());
  assert.match(await scene.call(), /found/);
  const evil = await startAuthorizationServer({
    clients: [],
    resource: () => ({ audience: scene.server.url, scope: SCOPE }),
  });
  t.after(() => evil.close());
  // The tool server turns on the gateway: it names an authorization server of its own, and refuses the token at hand.
  scene.server.trust(evil);
  assert.match(await scene.call(), /AUTHORIZATION_SERVER_NOT_ALLOWED/);
  assert.equal(evil.wire.bytes().length, 0);
  assert.equal(scene.server.calls(), 1);
  const [, refused] = await scene.details();
  assert.equal(refused?.["error_code"], "AUTHORIZATION_SERVER_NOT_ALLOWED");
});
