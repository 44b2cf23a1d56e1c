import assert from "node:assert/strict";
import { test } from "node:test";
import {
  authorizationIn,
  back,
  byConsent,
  ISSUER,
  linkOf,
  REDIRECT_URI,
  REQUEST,
  SERVER,
  TOKEN,
  World,
} from "./testing/world.ts";

test("a person's consent gives a token; the verifier leaves for the token endpoint alone", async () => {
  const world = new World();
  const { grant, consents } = byConsent(world);
  const authorization = await authorizationIn(world, { grant });
  const link = await linkOf(authorization.headers(REQUEST));
  assert.equal(link.origin + link.pathname, `${ISSUER}/authorize`);
  const asked = Object.fromEntries(link.searchParams);
  assert.deepEqual(
    { ...asked, state: "", code_challenge: "" },
    {
      response_type: "code",
      client_id: "gateway",
      redirect_uri: REDIRECT_URI,
      state: "",
      code_challenge: "",
      code_challenge_method: "S256",
      resource: SERVER,
    },
  );
  await consents.complete(back(link));
  const [exchange] = world.to(TOKEN);
  assert.equal(exchange?.form.get("code"), "the-code");
  const verifier = exchange?.form.get("code_verifier") ?? "";
  const hashed = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  assert.equal(Buffer.from(hashed).toString("base64url"), asked["code_challenge"]);
  assert.ok(!link.href.includes(verifier));
  assert.deepEqual(await authorization.headers(REQUEST), { authorization: "Bearer token-1" });
});

test("an answer counts once, for ten minutes, and only where it was asked for", async () => {
  const world = new World();
  const { grant, consents } = byConsent(world);
  const authorization = await authorizationIn(world, { grant });
  const link = await linkOf(authorization.headers(REQUEST));
  const invalid = { code: "AUTHORIZATION_RESPONSE_INVALID" };
  await assert.rejects(consents.complete("code=the-code"), invalid);
  await assert.rejects(consents.complete("code=the-code&state=guessed"), invalid);
  await assert.rejects(consents.complete(`${back(link)}&state=twice`), invalid);
  await consents.complete(back(link));
  await assert.rejects(consents.complete(back(link)), invalid);
  assert.equal(world.to(TOKEN).length, 1);
  const never = await linkOf((await authorizationIn(world, { grant })).headers(REQUEST));
  world.now += 10 * 60_000;
  await assert.rejects(consents.complete(back(never)), invalid);
  assert.equal(world.to(TOKEN).length, 1);
});

test("a response of another issuer is mixed up, and its code goes nowhere", async () => {
  for (const [advertised, iss] of [
    [true, null],
    [true, "https://evil.example"],
    [undefined, "https://evil.example"],
    [true, `${ISSUER}/`],
  ] as const) {
    const world = new World();
    world.issuer(advertised === undefined ? {} : { authorization_response_iss_parameter_supported: advertised });
    const { grant, consents } = byConsent(world);
    const link = await linkOf((await authorizationIn(world, { grant })).headers(REQUEST));
    const brought = back(link, { code: "the-code", ...(iss === null ? {} : { iss }) });
    await assert.rejects(consents.complete(brought), { code: "AUTHORIZATION_RESPONSE_INVALID" });
    assert.deepEqual(world.to(TOKEN), []);
  }
});

test("a consent that is refused gives nothing, and the next request asks again", async () => {
  const world = new World();
  const { grant, consents } = byConsent(world);
  const authorization = await authorizationIn(world, { grant });
  const link = await linkOf(authorization.headers(REQUEST));
  await assert.rejects(consents.complete(back(link, { error: "access_denied" })), { code: "AUTHORIZATION_REFUSED" });
  const again = await linkOf(authorization.headers(REQUEST));
  assert.notEqual(again.searchParams.get("state"), link.searchParams.get("state"));
  assert.deepEqual(world.to(TOKEN), []);
});

test("an owner's oldest consent gives way, and another's does not", async () => {
  const world = new World();
  const { grant, consents } = byConsent(world);
  const other = await linkOf((await authorizationIn(world, { grant, subject: "other" })).headers(REQUEST));
  const authorization = await authorizationIn(world, { grant });
  const links: URL[] = [];
  for (let round = 0; round < 9; round += 1) links.push(await linkOf(authorization.headers(REQUEST)));
  await assert.rejects(consents.complete(back(links[0] ?? other)), { code: "AUTHORIZATION_RESPONSE_INVALID" });
  await consents.complete(back(links[1] ?? other));
  await consents.complete(back(other));
});

test("a server that does not say it supports S256 is sent nobody", async () => {
  for (const code_challenge_methods_supported of [undefined, ["plain"]]) {
    const world = new World();
    world.issuer({ code_challenge_methods_supported });
    const { grant } = byConsent(world);
    await assert.rejects((await authorizationIn(world, { grant })).headers(REQUEST), {
      code: "AUTHORIZATION_METADATA_INVALID",
    });
  }
});

test("a person is sent to https alone", async () => {
  for (const authorization_endpoint of ["http://login.example/authorize", "javascript:alert(1)", "nowhere"]) {
    const world = new World();
    world.issuer({ authorization_endpoint });
    const { grant } = byConsent(world);
    await assert.rejects((await authorizationIn(world, { grant })).headers(REQUEST), {
      code: "AUTHORIZATION_METADATA_INVALID",
    });
  }
});

/** An authorization with a refresh token whose access token has come to its end. */
