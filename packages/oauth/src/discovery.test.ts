import assert from "node:assert/strict";
import { test } from "node:test";
import { authorizationIn, ISSUER, json, REQUEST, SERVER, TOKEN, World } from "./testing/world.ts";

test("an authorization server that was not approved is asked nothing, and sent nothing", async () => {
  const world = new World();
  world.resource({ authorization_servers: ["https://evil.example"] });
  const authorization = await authorizationIn(world);
  await assert.rejects(authorization.headers(REQUEST), { code: "AUTHORIZATION_SERVER_NOT_ALLOWED" });
  assert.deepEqual(
    world.seen.filter(({ url }) => !url.startsWith("https://tools.example/")),
    [],
  );
});

test("of several authorization servers the approved one is asked", async () => {
  const world = new World();
  world.resource({ authorization_servers: ["https://evil.example", ISSUER] });
  const authorization = await authorizationIn(world);
  await authorization.headers(REQUEST);
  assert.equal(authorization.names?.issuer, ISSUER);
});

test("metadata of another issuer, even one slash off, is not used", async () => {
  for (const issuer of ["https://other.example", `${ISSUER}/`, `${ISSUER}:443`]) {
    const world = new World();
    world.issuer({ issuer });
    const authorization = await authorizationIn(world);
    await assert.rejects(authorization.headers(REQUEST), { code: "AUTHORIZATION_METADATA_INVALID" });
    assert.deepEqual(world.to(TOKEN), []);
  }
});

test("metadata that is no JSON, or that two readers could take differently, is not used", async () => {
  for (const text of [
    "",
    "<html>",
    `{"issuer":"https://other.example","issuer":"${ISSUER}","token_endpoint":"${TOKEN}"}`,
  ]) {
    const world = new World();
    world.answers.set(`${ISSUER}/.well-known/oauth-authorization-server`, () => new Response(text));
    const authorization = await authorizationIn(world);
    await assert.rejects(authorization.headers(REQUEST), { code: "AUTHORIZATION_METADATA_INVALID" });
    assert.deepEqual(world.to(TOKEN), []);
  }
});

test("an endpoint at another host than the issuer is sent no secret", async () => {
  for (const name of ["token_endpoint", "registration_endpoint", "jwks_uri"]) {
    const world = new World();
    world.issuer({ [name]: "https://collector.example/token" });
    const authorization = await authorizationIn(world);
    await assert.rejects(authorization.headers(REQUEST), { code: "AUTHORIZATION_METADATA_INVALID" });
    assert.deepEqual(
      world.seen.filter(({ url }) => url.includes("collector")),
      [],
    );
  }
});

test("a redirect is not followed, wherever it stands", async () => {
  for (const place of [`${ISSUER}/.well-known/oauth-authorization-server`, TOKEN]) {
    const world = new World();
    world.answers.set(
      place,
      () => new Response(null, { status: 307, headers: { location: "https://other.example/" } }),
    );
    const authorization = await authorizationIn(world);
    await assert.rejects(authorization.headers(REQUEST), { code: "AUTHORIZATION_METADATA_INVALID" });
    assert.deepEqual(world.to("https://other.example/"), []);
  }
});

test("metadata of another resource, or named at another origin, is not used", async () => {
  for (const resource of ["https://evil.example/mcp", "https://tools.example/mcp2", "https://tools.example/mc", "x"]) {
    const world = new World();
    world.resource({ resource });
    await assert.rejects((await authorizationIn(world)).headers(REQUEST), { code: "AUTHORIZATION_METADATA_INVALID" });
  }
  const world = new World();
  const challenge = 'Bearer resource_metadata="https://evil.example/metadata"';
  world.answers.set(SERVER, () => new Response(null, { status: 401, headers: { "www-authenticate": challenge } }));
  await assert.rejects((await authorizationIn(world)).headers(REQUEST), { code: "AUTHORIZATION_METADATA_INVALID" });
  assert.deepEqual(world.to("https://evil.example/metadata"), []);
});

test("a resource above the server on its origin is asked for as it is published", async () => {
  const world = new World();
  world.answers.delete("https://tools.example/.well-known/oauth-protected-resource/mcp");
  const document = { resource: "https://tools.example", authorization_servers: [ISSUER] };
  world.answers.set("https://tools.example/.well-known/oauth-protected-resource", () => json(document));
  await (await authorizationIn(world)).headers(REQUEST);
  assert.equal(world.to(TOKEN)[0]?.form.get("resource"), "https://tools.example");
});

test("an answer that is too long is not read to its end", async () => {
  const world = new World();
  world.issuer({ padding: "x".repeat(70_000) });
  await assert.rejects((await authorizationIn(world)).headers(REQUEST), { code: "AUTHORIZATION_METADATA_INVALID" });
});

test("what does not answer is unavailable, and is asked again the next time", async () => {
  const world = new World();
  const place = `${ISSUER}/.well-known/oauth-authorization-server`;
  const works = world.answers.get(place);
  world.answers.set(place, () => Promise.reject(new Error("connection refused")));
  const authorization = await authorizationIn(world);
  await assert.rejects(authorization.headers(REQUEST), { code: "AUTHORIZATION_UNAVAILABLE" });
  world.answers.set(place, works ?? (() => json({})));
  assert.deepEqual(await authorization.headers(REQUEST), { authorization: "Bearer token-1" });
});
