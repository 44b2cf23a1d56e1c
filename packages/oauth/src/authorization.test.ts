import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import {
  authorizationIn,
  back,
  byConsent,
  ISSUER,
  json,
  linkOf,
  REDIRECT_URI,
  refusal,
  REQUEST,
  SERVER,
  TOKEN,
  World,
} from "./testing/world.ts";

test("a token is asked for once, for the resource, and kept until shortly before its end", async () => {
  const world = new World();
  const authorization = await authorizationIn(world);
  const all = await Promise.all([1, 2, 3].map(() => authorization.headers(REQUEST)));
  assert.deepEqual(
    all,
    [1, 2, 3].map(() => ({ authorization: "Bearer token-1" })),
  );
  const [asked] = world.to(TOKEN);
  assert.equal(asked?.form.get("grant_type"), "client_credentials");
  assert.equal(asked?.form.get("resource"), SERVER);
  assert.equal(asked?.headers["authorization"], `Basic ${btoa("gateway:client-secret-value")}`);
  world.now += 3_600_000 - 30_000;
  assert.deepEqual(await authorization.headers(REQUEST), { authorization: "Bearer token-2" });
  assert.equal(world.to(TOKEN).length, 2);
});

test("the grant has names that hold no secret, and a digest of its own", async () => {
  const world = new World();
  world.token({ scope: "read write" });
  const authorization = await authorizationIn(world);
  const unnamed = authorization.names;
  assert.equal(unnamed, null);
  await authorization.headers(REQUEST);
  const named = authorization.names;
  assert.ok(named !== null);
  const { digest, ...names } = named;
  assert.deepEqual(names, {
    issuer: ISSUER,
    kind: "client_credentials",
    subject: "clinic",
    audience: SERVER,
    scopes: ["read", "write"],
  });
  assert.match(digest, /^[\w-]{43}$/);
  world.now += 3_600_000;
  await authorization.headers(REQUEST);
  assert.notDeepEqual(authorization.names, named);
});

function jwt(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "ES256" })}.${part(claims)}.c2ln`;
}

test("a token that is visibly for another audience is not sent to the server", async () => {
  for (const aud of ["https://other.example/mcp", ["https://other.example"], [], 7]) {
    const world = new World();
    world.token({ access_token: jwt({ aud }) });
    await assert.rejects((await authorizationIn(world)).headers(REQUEST), { code: "AUTHORIZATION_RESPONSE_INVALID" });
  }
  for (const aud of [SERVER, ["other", SERVER], `${SERVER}/`, undefined]) {
    const world = new World();
    world.token({ access_token: jwt({ aud }) });
    await (await authorizationIn(world)).headers(REQUEST);
  }
  const world = new World();
  world.token({ access_token: jwt({ aud: "api://tools" }) });
  await (await authorizationIn(world, { audience: "api://tools" })).headers(REQUEST);
});

test("a token that could end a header, or is no bearer token, is refused without being repeated", async () => {
  for (const access_token of ["secret\r\nx: y", "secret with spaces", `secret${"x".repeat(20_000)}`]) {
    const world = new World();
    world.token({ access_token });
    await assert.rejects(
      (await authorizationIn(world)).headers(REQUEST),
      (thrown) =>
        thrown instanceof CmcpError &&
        thrown.code === "AUTHORIZATION_RESPONSE_INVALID" &&
        !JSON.stringify([thrown.message, thrown.detail]).includes("secret"),
    );
  }
  const world = new World();
  world.token({ token_type: "mac" });
  await assert.rejects((await authorizationIn(world)).headers(REQUEST), { code: "AUTHORIZATION_RESPONSE_INVALID" });
});

test("a refusal is told by its code, and by no text of the server's", async () => {
  const world = new World();
  world.token({ error: "unauthorized_client", error_description: "call +1 555 0100 to fix this" }, 400);
  await assert.rejects(
    (await authorizationIn(world)).headers(REQUEST),
    (thrown) =>
      thrown instanceof CmcpError && thrown.code === "AUTHORIZATION_REFUSED" && !thrown.message.includes("555"),
  );
});

test("scopes beyond those approved are not asked for, whatever the server's challenge says", async () => {
  const world = new World();
  const challenge = 'Bearer scope="read admin"';
  world.answers.set(SERVER, () => new Response(null, { status: 401, headers: { "www-authenticate": challenge } }));
  const authorization = await authorizationIn(world, { scopes: ["read"] });
  await assert.rejects(authorization.headers(REQUEST), { code: "AUTHORIZATION_REFUSED" });
  assert.deepEqual(world.to(TOKEN), []);
  world.resource({ scopes_supported: ["read", "admin"] });
  world.answers.set(SERVER, () => new Response(null, { status: 401 }));
  await (await authorizationIn(world, { scopes: ["read", "write"] })).headers(REQUEST);
  assert.equal(world.to(TOKEN).at(-1)?.form.get("scope"), "read");
});

test("a refused token is renewed, and one that was renewed meanwhile is not", async () => {
  const world = new World();
  const authorization = await authorizationIn(world);
  const first = await authorization.headers(REQUEST);
  assert.equal(authorization.answered(refusal(first, 'Bearer error="invalid_token"')), "token");
  const second = await authorization.headers(REQUEST);
  assert.deepEqual(second, { authorization: "Bearer token-2" });
  assert.equal(authorization.answered(refusal(first, 'Bearer error="invalid_token"')), "token");
  assert.deepEqual(await authorization.headers(REQUEST), second);
  assert.equal(authorization.answered({ status: 200, sent: second, header: () => null }), null);
  assert.equal(authorization.answered({ status: 403, sent: second, header: () => null }), null);
});

test("more scopes are asked for beside the earlier ones, and only a few times", async () => {
  const world = new World();
  const authorization = await authorizationIn(world);
  const stepUp = async (scope: string): Promise<string | null> =>
    authorization.answered(
      refusal(await authorization.headers(REQUEST), `Bearer error="insufficient_scope", scope="${scope}"`, 403),
    );
  assert.equal(await stepUp("read"), "scopes");
  assert.equal(await stepUp("read"), null, "what was asked for is not asked for again");
  assert.equal(await stepUp("write"), "scopes");
  await authorization.headers(REQUEST);
  assert.equal(world.to(TOKEN).at(-1)?.form.get("scope"), "read write");
  assert.equal(await stepUp("admin"), null);
});

test("every request has a proof of its own, with the server's nonce and without the query", async () => {
  const world = new World();
  world.token({ token_type: "DPoP" });
  const authorization = await authorizationIn(world, { proofs: "required" });
  const first = await authorization.headers({ method: "POST", url: new URL(`${SERVER}?a=1`) });
  assert.equal(first["authorization"], "DPoP token-1");
  const claimsOf = ({ dpop = "" }: Readonly<Record<string, string>>): Record<string, unknown> =>
    JSON.parse(Buffer.from(dpop.split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>;
  assert.ok((world.to(TOKEN)[0]?.headers["dpop"] ?? "") !== "", "the token endpoint is shown the key");
  const header = (name: string): string | null =>
    ({ "www-authenticate": 'DPoP error="use_dpop_nonce"', "dpop-nonce": "n-1" })[name] ?? null;
  assert.equal(authorization.answered({ status: 401, sent: first, header }), "proof");
  const second = await authorization.headers(REQUEST);
  assert.equal(second["authorization"], "DPoP token-1", "the token is kept");
  const [one, two] = [claimsOf(first), claimsOf(second)];
  assert.deepEqual([one["htu"], one["htm"], two["nonce"]], [SERVER, "POST", "n-1"]);
  assert.notEqual(one["jti"], two["jti"]);
  const ath = Buffer.from(await crypto.subtle.digest("SHA-256", Buffer.from("token-1"))).toString("base64url");
  assert.equal(one["ath"], ath);
});

test("a token that is bound to no key is refused where it has to be, and so is one bound to a key never shown", async () => {
  const world = new World();
  const invalid = { code: "AUTHORIZATION_RESPONSE_INVALID" };
  await assert.rejects((await authorizationIn(world, { proofs: "required" })).headers(REQUEST), invalid);
  world.token({ token_type: "DPoP" });
  await assert.rejects((await authorizationIn(world)).headers(REQUEST), invalid);
});

test("a client is registered once for each issuer, and anew when its server forgot it", async () => {
  const world = new World();
  world.issuer({ registration_endpoint: `${ISSUER}/register`, token_endpoint_auth_methods_supported: ["none"] });
  let registered = 0;
  world.answers.set(`${ISSUER}/register`, () => {
    registered += 1;
    return json({ client_id: `client-${registered}` }, 201);
  });
  const { consents, grant } = byConsent(world);
  const client = { kind: "unregistered", name: "gateway", redirectUri: REDIRECT_URI, metadataUrl: null } as const;
  const authorization = await authorizationIn(world, { grant, client });
  const links = [await linkOf(authorization.headers(REQUEST)), await linkOf(authorization.headers(REQUEST))];
  assert.deepEqual(
    links.map(({ searchParams }) => searchParams.get("client_id")),
    ["client-1", "client-1"],
  );
  world.token({ error: "invalid_client" }, 400);
  await assert.rejects(consents.complete(back(links[1] ?? new URL(SERVER))), { code: "AUTHORIZATION_REFUSED" });
  assert.equal((await linkOf(authorization.headers(REQUEST))).searchParams.get("client_id"), "client-2");
});

test("a token is exchanged for one that stands for the same person, and no caller's token is in it", async () => {
  const world = new World();
  const subjectToken = async (): Promise<{ token: string; type: string }> => ({
    token: "subject-token",
    type: "urn:ietf:params:oauth:token-type:id_token",
  });
  const authorization = await authorizationIn(world, { grant: { kind: "token_exchange", subjectToken } });
  await authorization.headers(REQUEST);
  const form = world.to(TOKEN)[0]?.form;
  assert.equal(form?.get("grant_type"), "urn:ietf:params:oauth:grant-type:token-exchange");
  assert.deepEqual([form?.get("subject_token"), form?.get("resource")], ["subject-token", SERVER]);
});
