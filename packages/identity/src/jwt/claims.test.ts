import assert from "node:assert/strict";
import { test } from "node:test";
import { AUDIENCE, ISSUER, NOW, goodClaims, settings, testKey, token } from "../testing/issuer.ts";
import { TimeFloor } from "../time/floor.ts";
import { JwtAuthenticator } from "./authenticator.ts";
import { ES256, authenticator, refused } from "../testing/authenticator.ts";

test("no issuer is verified with another's keys", async () => {
  const other = testKey("ES256", ES256.kid);
  const base = settings([ES256]).jwt;
  const second = settings([other], { issuer: "https://other.example/" }).jwt;
  const jwt = await JwtAuthenticator.of({ jwt: [...base, ...second] }, () => NOW);
  await jwt.authenticate(token(other, goodClaims({ iss: "https://other.example/" })));
  await refused(jwt, token(other, goodClaims()), "signature");
  await refused(jwt, token(ES256, goodClaims({ iss: "https://other.example/" })), "signature");
  for (const iss of [
    "https://login.bank.example",
    `${ISSUER}/`,
    ISSUER.toUpperCase(),
    "",
    null,
    7,
    [ISSUER],
    { toString: 1 },
    "__proto__",
    undefined,
  ])
    await refused(jwt, token(ES256, goodClaims({ iss })), "issuer");
});

test("the audience must be this gateway, alone or among others", async () => {
  const jwt = await authenticator([ES256]);
  await jwt.authenticate(token(ES256, goodClaims({ aud: ["https://elsewhere.example/", AUDIENCE] })));
  const many = Array.from({ length: 16 }, (_, index) => `https://elsewhere.example/${index}`);
  for (const aud of [
    "https://elsewhere.example/",
    `${AUDIENCE}/`,
    [],
    [7],
    7,
    null,
    undefined,
    { a: AUDIENCE },
    [[AUDIENCE]],
    [...many, AUDIENCE],
  ])
    await refused(jwt, token(ES256, goodClaims({ aud })), "audience");
});

test("a token counts from its beginning to its end, give or take the skew", async () => {
  let now = NOW;
  const jwt = await authenticator([ES256], { clock_skew_seconds: 30 }, () => now);
  const start = NOW / 1_000;
  const until = token(ES256, goodClaims({ exp: start + 100 }));
  now = NOW + 129_999;
  assert.equal((await jwt.authenticate(until)).expiresAt, NOW + 130_000);
  now = NOW + 130_000;
  await refused(jwt, until, "expired");
  for (const claim of ["nbf", "iat"]) {
    const from = token(ES256, goodClaims({ [claim]: start + 200, exp: start + 500 }));
    now = NOW + 169_999;
    await refused(jwt, from, "early");
    now = NOW + 170_000;
    await jwt.authenticate(from);
  }
});

test("a token has an end, and one that is near enough", async () => {
  const jwt = await authenticator([ES256], { max_lifetime_seconds: 3_600, clock_skew_seconds: 0 });
  const now = NOW / 1_000;
  await jwt.authenticate(token(ES256, goodClaims({ exp: now + 3_600 })));
  await jwt.authenticate(token(ES256, goodClaims({ exp: now + 0.5, nbf: undefined, iat: undefined })));
  for (const exp of [now + 3_601, undefined, null, "9999999999", -1, 1e30, [now + 1], NOW + 1_000])
    await refused(jwt, token(ES256, goodClaims({ exp })), "lifetime");
  for (const claim of ["nbf", "iat"])
    for (const wrong of ["0", null, -1, 1e30, {}])
      await refused(jwt, token(ES256, goodClaims({ [claim]: wrong })), "early");
});

test("only access tokens: the type is required and compared", async () => {
  const jwt = await authenticator([ES256]);
  await jwt.authenticate(token(ES256, goodClaims(), { typ: "application/AT+JWT" }));
  for (const typ of ["JWT", "logout+jwt", "dpop+jwt", "", undefined, null, 7, "at+jwt "])
    await refused(jwt, token(ES256, goodClaims(), { typ }), "type");
  const both = await authenticator([ES256], { types: ["at+jwt", "JWT"] });
  await both.authenticate(token(ES256, goodClaims(), { typ: "JWT" }));
  await refused(both, token(ES256, goodClaims(), { typ: "dpop+jwt" }), "type");
});

test("only subjects the configuration lets in, each as its principal", async () => {
  const listed = await authenticator([ES256], {
    subjects: [{ subject: "desk-7", principal: "trading-desk", workflows: ["settle"] }],
  });
  assert.deepEqual((await listed.authenticate(token(ES256, goodClaims()))).workflows, ["settle"]);
  for (const sub of ["desk-8", "DESK-7", "", " desk-7", 7, null, undefined, "x".repeat(257), "__proto__"])
    await refused(listed, token(ES256, goodClaims({ sub })), "subject");

  const any = await authenticator([ES256], {
    subjects: [{ subject: "desk-7", principal: "trading-desk" }],
    any_subject: { prefix: "staff:", workflows: ["read"] },
  });
  const caller = await any.authenticate(token(ES256, goodClaims({ sub: "anna" })));
  assert.deepEqual([caller.principalId, caller.workflows], ["staff:anna", ["read"]]);
  assert.equal((await any.authenticate(token(ES256, goodClaims()))).principalId, "trading-desk");
  for (const sub of ["", "a b", "a\u0000", "ä", "x".repeat(128), "auth0|7"])
    await refused(any, token(ES256, goodClaims({ sub })), "subject");
});

test("claims for policies are flat and bounded, or the token is refused", async () => {
  const claims = {
    groups: { claim: "https://bank.example/groups", kind: "texts" },
    scope: { claim: "scope", kind: "words" },
    level: { claim: "level", kind: "integer" },
    staff: { claim: "staff", kind: "boolean" },
    unit: { claim: "unit", kind: "text" },
  };
  const jwt = await authenticator([ES256], { claims });
  const caller = await jwt.authenticate(
    token(
      ES256,
      goodClaims({
        "https://bank.example/groups": ["a", "b"],
        scope: "read  write",
        level: 3,
        staff: true,
        unit: "fx",
        secret: "not asked for",
      }),
    ),
  );
  assert.deepEqual(
    [...caller.claims],
    [
      ["groups", ["a", "b"]],
      ["scope", ["read", "write"]],
      ["level", 3],
      ["staff", true],
      ["unit", "fx"],
    ],
  );
  assert.equal((await jwt.authenticate(token(ES256, goodClaims()))).claims.size, 0);
  const inherited = await authenticator([ES256], { claims: { odd: { claim: "toString", kind: "text" } } });
  assert.equal(
    (await inherited.authenticate(token(ES256, goodClaims()))).claims.size,
    0,
    "what every object has is no claim",
  );
  const wrong: readonly Record<string, unknown>[] = [
    { "https://bank.example/groups": "a" },
    { "https://bank.example/groups": ["a", 7] },
    { "https://bank.example/groups": Array.from({ length: 65 }, () => "a") },
    { scope: ["read"] },
    { level: "3" },
    { level: 1.5 },
    { level: 2 ** 53 },
    { staff: "true" },
    { staff: 1 },
    { unit: { __extn: { fn: "decimal", arg: "1.0" } } },
    { unit: null },
    { unit: "é".repeat(513) },
  ];
  for (const rest of wrong) await refused(jwt, token(ES256, goodClaims(rest)), "claims");
  await jwt.authenticate(token(ES256, goodClaims({ unit: "é".repeat(512) })));
});

test("an expired token cannot be brought back by setting the clock", async () => {
  let wall = NOW;
  let monotonic = 0;
  const clock = new TimeFloor(NOW - 1_000, { wall: () => wall, monotonic: () => monotonic });
  const jwt = await authenticator([ES256], { clock_skew_seconds: 0 }, () => clock.now());
  const minute = token(ES256, goodClaims({ exp: NOW / 1_000 + 60 }));
  await jwt.authenticate(minute);
  wall = NOW + 61_000;
  await refused(jwt, minute, "expired");
  wall = NOW - 1e9;
  await refused(jwt, minute, "expired");

  const frozen = token(ES256, goodClaims({ exp: NOW / 1_000 + 120 }));
  await jwt.authenticate(frozen);
  monotonic = 60_000;
  await refused(jwt, frozen, "expired");
});
