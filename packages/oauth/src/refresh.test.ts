import assert from "node:assert/strict";
import { test } from "node:test";
import { authorizationIn, back, byConsent, ISSUER, json, linkOf, REQUEST, TOKEN, World } from "./testing/world.ts";

async function refreshable(world: World): Promise<Awaited<ReturnType<typeof authorizationIn>>> {
  const { grant, consents } = byConsent(world);
  world.token({ refresh_token: "refresh-1" });
  const authorization = await authorizationIn(world, { grant });
  await consents.complete(back(await linkOf(authorization.headers(REQUEST))));
  await authorization.headers(REQUEST);
  world.now += 3_600_000;
  return authorization;
}

test("a refresh token renews the token, and is replaced by the one that comes with it", async () => {
  const world = new World();
  const authorization = await refreshable(world);
  world.token({ refresh_token: "refresh-2" });
  assert.deepEqual(await authorization.headers(REQUEST), { authorization: "Bearer token-2" });
  assert.equal(world.to(TOKEN).at(-1)?.form.get("refresh_token"), "refresh-1");
  world.now += 3_600_000;
  await authorization.headers(REQUEST);
  assert.equal(world.to(TOKEN).at(-1)?.form.get("refresh_token"), "refresh-2");
});

test("a refresh token that counts no longer needs the person again", async () => {
  const world = new World();
  const authorization = await refreshable(world);
  world.token({ error: "invalid_grant" }, 400);
  await linkOf(authorization.headers(REQUEST));
  assert.equal(authorization.names, null);
});

test("a refresh that fails for the moment is tried again, with the same refresh token", async () => {
  const world = new World();
  const authorization = await refreshable(world);
  world.token({ error: "temporarily_unavailable" }, 400);
  await assert.rejects(authorization.headers(REQUEST), { code: "AUTHORIZATION_UNAVAILABLE" });
  world.token({});
  await authorization.headers(REQUEST);
  assert.equal(world.to(TOKEN).at(-1)?.form.get("refresh_token"), "refresh-1");
});

test("a refresh token is shown to no other issuer than the one that gave it", async () => {
  const world = new World();
  const { grant, consents } = byConsent(world);
  const other = "https://other.example";
  world.token({ refresh_token: "refresh-1" });
  const authorization = await authorizationIn(world, { grant, issuers: new Set([ISSUER, other]) });
  await consents.complete(back(await linkOf(authorization.headers(REQUEST))));
  world.now += 3_600_000;
  world.resource({ authorization_servers: [other] });
  world.answers.set(`${other}/.well-known/oauth-authorization-server`, () =>
    json({
      issuer: other,
      authorization_endpoint: `${other}/authorize`,
      token_endpoint: `${other}/token`,
      code_challenge_methods_supported: ["S256"],
    }),
  );
  const link = await linkOf(authorization.headers(REQUEST));
  assert.equal(link.origin, other);
  assert.deepEqual(world.to(`${other}/token`), []);
  assert.ok(!world.seen.some(({ url, body }) => url.startsWith(other) && body.includes("refresh-1")));
});
