import assert from "node:assert/strict";
import { test } from "node:test";
import { Clients } from "./clients.ts";
import { Consents } from "./consents.ts";
import { loginLink } from "./login.ts";
import { ISSUER, json, REDIRECT_URI, World } from "./testing/world.ts";

const NEXT = "https://tools-login.example/authorize?state=secret";
const NOW = Math.floor(Date.now() / 1000);

function idToken(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "ES256" })}.${part(claims)}.${Buffer.alloc(64).toString("base64url")}`;
}

interface Login {
  readonly world: World;
  readonly consents: Consents;
  readonly link: URL;
  /** Comes back from the login as somebody. */
  readonly back: (changes: object) => Promise<string | null>;
}

async function login(): Promise<Login> {
  const world = new World();
  world.issuer({ id_token_signing_alg_values_supported: ["ES256"] });
  const consents = new Consents(() => world.now);
  const settings = {
    issuer: ISSUER,
    clients: new Clients({ kind: "registered", id: "gateway-login", proof: { kind: "none" } }, world.fetch),
    consents,
    redirectUri: REDIRECT_URI,
    fetch: world.fetch,
    now: () => NOW,
  } as const;
  const link = new URL(await loginLink(settings, { owner: "clinic", subject: "ada", next: NEXT }));
  return {
    world,
    consents,
    link,
    back: async (changes) => {
      const nonce = link.searchParams.get("nonce");
      const claims = { iss: ISSUER, aud: "gateway-login", sub: "ada", nonce, iat: NOW, exp: NOW + 60, ...changes };
      world.answers.set(`${ISSUER}/token`, () =>
        json({ access_token: "login-token", token_type: "Bearer", id_token: idToken(claims) }),
      );
      return await consents.complete(`code=login-code&state=${link.searchParams.get("state")}`);
    },
  };
}

test("the caller who logged in goes on to the consent, whose link nobody learned before", async () => {
  const { link, back } = await login();
  assert.equal(link.origin, ISSUER);
  assert.ok(!link.href.includes("secret"));
  assert.deepEqual(
    [link.searchParams.get("scope"), link.searchParams.get("code_challenge_method")],
    ["openid", "S256"],
  );
  assert.equal(await back({}), NEXT);
});

test("anybody else who logs in goes nowhere, and the login counts no second time", async () => {
  const { link, back, consents } = await login();
  await assert.rejects(back({ sub: "mallory" }), { code: "AUTHORIZATION_REFUSED" });
  await assert.rejects(back({}), { code: "AUTHORIZATION_RESPONSE_INVALID" });
  await assert.rejects(consents.complete(`code=x&state=${link.searchParams.get("state")}`));
});

test("an identity token of another issuer, client, login or time is none", async () => {
  for (const changes of [
    { iss: "https://evil.example" },
    { aud: "another-client" },
    { nonce: "another-login" },
    { exp: NOW - 3600 },
    { sub: undefined },
  ]) {
    const { back } = await login();
    await assert.rejects(back(changes), { code: "AUTHORIZATION_RESPONSE_INVALID" }, JSON.stringify(changes));
  }
});
