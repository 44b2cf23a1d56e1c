/** Rules can tell what the gateway shows a server, and whether a consent is the caller's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuthorizationSettings } from "@cmcp/catalog";
import { PERMIT_ALL, call, compile, schemaText, tool } from "./test-support.ts";

const LOGIN = { issuer: { issuer: "https://login.example", trust: null }, clientId: "gateway", clientSecret: null };
const authorization = (grant: AuthorizationSettings["grant"], login: AuthorizationSettings["login"]) => ({
  authorization: {
    grant,
    clientId: "gateway",
    clientSecret: null,
    scopes: [],
    audience: null,
    issuers: [],
    dpop: "offered" as const,
    login,
    unconfirmed: login === null,
  },
});
/** What a server has, the issuer of the caller's JWT, and what rules read. */
const GRANTS: readonly (readonly [object | undefined, string | undefined, string])[] = [
  [undefined, "https://login.example", "none"],
  [{ credential: "key" }, "https://login.example", "credential"],
  [authorization("client_credentials", null), undefined, "client_credentials"],
  [authorization("token_exchange", LOGIN), "https://login.example", "token_exchange"],
  [authorization("identity_assertion", LOGIN), "https://login.example", "identity_assertion"],
  [authorization("consent", LOGIN), "https://login.example", "consent"],
  [authorization("consent", LOGIN), "https://other.example", "unconfirmed_consent"],
  [authorization("consent", LOGIN), undefined, "unconfirmed_consent"],
  [authorization("consent", null), "https://login.example", "unconfirmed_consent"],
  [authorization("consent", null), undefined, "unconfirmed_consent"],
];
const NO_SETTINGS = {
  name: "server",
  era: null,
  credential: null,
  authorization: null,
  clientCertificate: false,
  provenance: null,
};

test("secrets of a stdio server are a credential", async () => {
  const rule = '@id("grant") forbid (principal, action, resource) when { context.server_grant == "credential" };';
  const policy = await compile(`${PERMIT_ALL}\n${rule}`, schemaText());
  for (const [secrets, expected] of [
    [{ API_TOKEN: "server-token" }, "deny"],
    [undefined, "allow"],
  ] as const) {
    const facts = call({});
    const spawn = { command: "/srv/main", ...(secrets === undefined ? {} : { secrets }) };
    const server = { ...tool("read").server, transport: "stdio", spawn } as unknown as typeof facts.tool.server;
    assert.equal(policy.decide({ ...facts, tool: { ...facts.tool, server } }).decision, expected);
  }
});

test("a rule about server_grant holds for calls with that grant, and for no other", async () => {
  for (const named of new Set(GRANTS.map(([, , grant]) => grant))) {
    const policy = await compile(
      `${PERMIT_ALL}\n@id("grant") forbid (principal, action, resource) when { context.server_grant == "${named}" };`,
      schemaText(),
    );
    for (const [settings, identityIssuer, grant] of GRANTS) {
      const facts = call({});
      const server = {
        ...tool("read").server,
        ...(settings === undefined ? {} : { settings: { ...NO_SETTINGS, ...settings } }),
      } as typeof facts.tool.server;
      const principal = { ...facts.principal, ...(identityIssuer === undefined ? {} : { identityIssuer }) };
      const { decision } = policy.decide({ ...facts, principal, tool: { ...facts.tool, server } });
      assert.equal(decision, grant === named ? "deny" : "allow", `${named} of ${grant}`);
    }
  }
});
