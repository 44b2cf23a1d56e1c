import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, type ErrorCode, type JsonObject } from "@cmcp/boundary";
import { requireCredentials } from "./credentials.ts";
import { loadCatalog, type Catalog } from "./load.ts";

const PIN = `SHA256:${Buffer.from("0123456789abcdef0123456789abcdef").toString("base64")}`;
const ISSUER = { issuer: "https://login.example/tenant", tls_fingerprint: PIN };
const AUTHORIZATION = { grant: "client_credentials", client_id: "gateway", scopes: ["read"], issuers: [ISSUER] };

function load(authorization: JsonObject, server: JsonObject = {}, developmentMode = false): Catalog {
  const named = { name: "ledger", url: "https://ledger.example/mcp", tls_fingerprint: PIN, authorization, ...server };
  const vocabulary = { has: () => true, hasDomain: () => true };
  return loadCatalog({ entries: [], servers: [named] }, { developmentMode, vocabulary });
}

function refused(changes: JsonObject, code: ErrorCode, server: JsonObject = {}): void {
  assert.throws(
    () => load({ ...AUTHORIZATION, ...changes }, server),
    (thrown) => thrown instanceof CmcpError && thrown.code === code,
    JSON.stringify([changes, server]),
  );
}

test("a server's authorization names its issuers with their keys, and the most that is asked for", () => {
  const [server] = load(AUTHORIZATION).servers;
  assert.deepEqual(server?.settings?.authorization, {
    grant: "client_credentials",
    clientId: "gateway",
    clientSecret: null,
    scopes: ["read"],
    audience: null,
    issuers: [
      {
        issuer: ISSUER.issuer,
        trust: { kind: "pinned", spkiSha256: Uint8Array.from(Buffer.from("0123456789abcdef0123456789abcdef")) },
      },
    ],
    dpop: "offered",
    login: null,
    unconfirmed: false,
  });
});

test("what is missing, unknown or not a name is refused", () => {
  for (const changes of [
    { grant: "password" },
    { client_id: "" },
    { client_id: "two words" },
    { client_secret: "Secret Value" },
    { scopes: ["two words"] },
    { scopes: null },
    { issuers: [] },
    { issuers: [{ issuer: "https://login.example" }] },
    { issuers: [{ ...ISSUER, issuer: "https://login.example?x" }] },
    { issuers: [{ ...ISSUER, issuer: "https://u@login.example" }] },
    { issuers: [{ ...ISSUER, issuer: "ftp://login.example" }] },
    { issuers: [ISSUER, { ...ISSUER, tls_fingerprint: `SHA256:${Buffer.alloc(32, "x1").toString("base64")}` }] },
    { issuers: Array.from({ length: 9 }, () => ISSUER) },
    { dpop: "yes" },
    { token: "x" },
  ] as const)
    refused(changes as unknown as JsonObject, "CATALOG_INVALID");
});

test("a consent is confirmed by a login, or the catalog says that nothing confirms it", () => {
  const login = { issuer: "https://staff.example", trust: "webpki", client_id: "gateway" };
  const { client_id: _, ...unregistered } = AUTHORIZATION;
  const [server] = load({ ...unregistered, grant: "consent", login }).servers;
  const { grant, clientId, login: read } = server?.settings?.authorization ?? {};
  assert.deepEqual([grant, clientId, read?.issuer.issuer, read?.clientSecret], ["consent", null, login.issuer, null]);
  load({ ...AUTHORIZATION, grant: "consent", unconfirmed: true });
  refused({ grant: "consent" }, "CATALOG_INVALID");
  refused({ login }, "CATALOG_INVALID");
  refused({ unconfirmed: true }, "CATALOG_INVALID");
  refused({ grant: "consent", login: { ...login, issuer: "http://staff.example" } }, "CATALOG_INVALID");
  refused({ grant: "consent", login: { ...login, issuer: "https://login.example/other" } }, "CATALOG_INVALID");
  const secret = load({ ...AUTHORIZATION, grant: "consent", login: { ...login, client_secret: "staff-secret" } });
  assert.throws(() => requireCredentials(secret, new Set()), { code: "CREDENTIAL_NOT_PROVISIONED" });
});

test("an exchange needs the login whose identity token is exchanged, and a client of its own", () => {
  const login = { issuer: "https://staff.example", trust: "webpki", client_id: "gateway" };
  for (const grant of ["token_exchange", "identity_assertion"]) {
    load({ ...AUTHORIZATION, grant, login });
    refused({ grant }, "CATALOG_INVALID");
    refused({ grant, login, unconfirmed: true }, "CATALOG_INVALID");
    const { client_id: _, ...unregistered } = AUTHORIZATION;
    assert.throws(() => load({ ...unregistered, grant, login }), { code: "CATALOG_INVALID" });
  }
});

test("authorities may vouch for an issuer, as for a server", () => {
  const [server] = load({ ...AUTHORIZATION, issuers: [{ issuer: "https://login.example", trust: "webpki" }] }).servers;
  assert.deepEqual(server?.settings?.authorization?.issuers[0]?.trust, { kind: "webpki", issuerPins: [] });
  refused({ issuers: [ISSUER, { issuer: ISSUER.issuer, trust: "webpki" }] }, "CATALOG_INVALID");
});

test("an issuer over plain http is for development, and has no key", () => {
  const issuers = [{ issuer: "http://127.0.0.1:9000" }];
  refused({ issuers }, "CATALOG_INVALID");
  const [server] = load({ ...AUTHORIZATION, issuers }, {}, true).servers;
  assert.equal(server?.settings?.authorization?.issuers[0]?.trust, null);
});

test("an authorization takes the place of a credential, and is for servers with a url", () => {
  refused({}, "CONFIG_NOT_SUPPORTED", { credential: "ledger-token" });
  const stdio = { transport: "stdio", spawn: { command: "/srv/main", binary_digest: `sha256:${"ab".repeat(32)}` } };
  const authorization = AUTHORIZATION;
  assert.throws(
    () =>
      loadCatalog(
        { entries: [], servers: [{ name: "notes", ...stdio, authorization }] },
        { developmentMode: false, vocabulary: { has: () => true, hasDomain: () => true } },
      ),
    { code: "CONFIG_NOT_SUPPORTED" },
  );
});

test("a client secret is provisioned as other credentials are", () => {
  const catalog = load({ ...AUTHORIZATION, client_secret: "ledger-secret" });
  requireCredentials(catalog, new Set(["ledger-secret"]));
  assert.throws(() => requireCredentials(catalog, new Set()), { code: "CREDENTIAL_NOT_PROVISIONED" });
  requireCredentials(load(AUTHORIZATION), new Set());
});

test("a stdio server's secrets are provisioned as other credentials are", () => {
  const options = { developmentMode: false, vocabulary: { has: () => true, hasDomain: () => true } };
  const started = (secrets: JsonObject): Catalog => {
    const spawn = { command: "/srv/notes/main", binary_digest: `sha256:${"ab".repeat(32)}`, secrets };
    return loadCatalog({ entries: [], servers: [{ name: "notes", transport: "stdio", spawn }] }, options);
  };
  const catalog = started({ GITHUB_TOKEN: "github_token", OTHER: "other-token" });
  requireCredentials(catalog, new Set(["github_token", "other-token"]));
  assert.throws(() => requireCredentials(catalog, new Set(["github_token"])), {
    code: "CREDENTIAL_NOT_PROVISIONED",
    message: /other-token/,
  });
  for (const name of ["LANGSMITH_API_KEY", "GEMINI_API_KEY", "HOMEASSISTANT_TOKEN", "_A", "P".repeat(128)])
    started({ [name]: "t" });
  const refuses = (secrets: JsonObject, message: RegExp): void =>
    assert.throws(() => started(secrets), { code: "CATALOG_INVALID", message });
  for (const name of ["", "lower", "1A", "A-B", "A=B", "P".repeat(129)]) refuses({ [name]: "t" }, /secrets/);
  const running = [
    "LD_PRELOAD",
    "NODE_OPTIONS",
    "PYTHONPATH",
    "PATH",
    "HOME",
    "TMPDIR",
    "LANG",
    "LC_ALL",
    "HTTPS_PROXY",
  ];
  for (const name of running) refuses({ [name]: "t" }, /changes how programs run/);
  for (const value of ["ghp_AbC", "", "a b", 1]) refuses({ TOKEN: value }, /secrets/);
  refuses(Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`T${index}`, "t"])), /at most 16 secrets/);
});
