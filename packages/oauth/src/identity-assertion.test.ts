import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { Clients } from "./clients.ts";
import { identityAssertion } from "./identity-assertion.ts";
import { CallerLogin } from "./login.ts";
import { ISSUER, json, REDIRECT_URI, SERVER, World } from "./testing/world.ts";
import { Consents } from "./consents.ts";

const ID_JAG = "urn:ietf:params:oauth:token-type:id-jag";
const ABOUT = { issuer: "https://tools-login.example", resource: SERVER, scopes: ["read"] };

function providerIn(world: World): Parameters<typeof identityAssertion>[0] {
  return {
    issuer: ISSUER,
    clients: new Clients({ kind: "registered", id: "gateway", proof: { kind: "none" } }, world.fetch),
    identityToken: async () => "identity-token",
    fetch: world.fetch,
    now: () => Math.floor(Date.now() / 1000),
  };
}

test("an identity assertion is for the other authorization server, the resource and the scopes", async () => {
  const world = new World();
  world.token({ access_token: "an.assertion", token_type: "N_A", issued_token_type: ID_JAG });
  assert.equal(await identityAssertion(providerIn(world))(ABOUT), "an.assertion");
  const form = world.to(`${ISSUER}/token`)[0]?.form;
  assert.deepEqual(
    ["subject_token", "requested_token_type", "audience", "resource", "scope"].map((name) => form?.get(name)),
    ["identity-token", ID_JAG, ABOUT.issuer, SERVER, "read"],
  );
});

test("what is no identity assertion is not shown to the other authorization server", async () => {
  const world = new World();
  world.token({ issued_token_type: "urn:ietf:params:oauth:token-type:access_token" });
  await assert.rejects(identityAssertion(providerIn(world))(ABOUT), { code: "AUTHORIZATION_RESPONSE_INVALID" });
  world.token({ error: "invalid_grant" }, 400);
  await assert.rejects(identityAssertion(providerIn(world))(ABOUT), { code: "AUTHORIZATION_REFUSED" });
});

test("a caller who has not logged in is sent to the login each time, and to nothing else", async () => {
  const world = new World();
  const { issuer, clients, fetch, now } = providerIn(world);
  const consents = new Consents(() => world.now);
  const settings = { issuer, clients, fetch, now, consents, redirectUri: REDIRECT_URI };
  const login = new CallerLogin(settings, { owner: "clinic", subject: "ada" }, () => world.now);
  for (const _ of [1, 2]) {
    const thrown: unknown = await login.identityToken().catch((error: unknown) => error);
    assert.ok(thrown instanceof CmcpError && thrown.code === "CONSENT_REQUIRED");
    assert.equal(new URL(String(thrown.detail["consent_url"])).searchParams.get("scope"), "openid");
  }
  assert.deepEqual(world.to(`${ISSUER}/token`), []);
});

test("an identity token counts until it ends, and then the caller logs in again", async () => {
  const world = new World();
  world.issuer({ id_token_signing_alg_values_supported: ["ES256"] });
  const { issuer, clients, fetch, now } = providerIn(world);
  const consents = new Consents(() => world.now);
  const settings = { issuer, clients, fetch, now, consents, redirectUri: REDIRECT_URI };
  const login = new CallerLogin(settings, { owner: "clinic", subject: "ada" }, () => world.now);
  const thrown: unknown = await login.identityToken().catch((error: unknown) => error);
  const link = new URL(String(thrown instanceof CmcpError && thrown.detail["consent_url"]));
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = {
    iss: ISSUER,
    aud: "gateway",
    sub: "ada",
    nonce: link.searchParams.get("nonce"),
    iat: now(),
    exp: now() + 60,
  };
  const token = `${part({ alg: "ES256" })}.${part(claims)}.${Buffer.alloc(64).toString("base64url")}`;
  world.answers.set(`${ISSUER}/token`, () => json({ access_token: "a", token_type: "Bearer", id_token: token }));
  assert.equal(await consents.complete(`code=c&state=${link.searchParams.get("state")}`), null);
  assert.equal(await login.identityToken(), token);
  world.now += 61_000;
  await assert.rejects(login.identityToken(), { code: "CONSENT_REQUIRED" });
});
