import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import * as fc from "fast-check";
import {
  AUDIENCE,
  ISSUER,
  NOW,
  bareToken,
  goodClaims,
  macToken,
  publicJwk,
  settings,
  testKey,
  token,
  type TestKey,
} from "../testing/issuer.ts";
import { TimeFloor } from "../time/floor.ts";
import { ALGORITHMS } from "./algorithms.ts";
import { JwtAuthenticator } from "./authenticator.ts";

const KEYS = ALGORITHMS.map((alg) => testKey(alg));
const [EDDSA, ES256, , RS256, PS256] = KEYS as [TestKey, TestKey, TestKey, TestKey, TestKey];

async function authenticator(
  keys: readonly TestKey[] = KEYS,
  rest: Record<string, unknown> = {},
  now: () => number = () => NOW,
): Promise<JwtAuthenticator> {
  return await JwtAuthenticator.of(settings(keys, rest).jwt, now);
}

/** The reason a token is refused with. */
async function refused(jwt: JwtAuthenticator, what: string, because: string): Promise<void> {
  await assert.rejects(
    jwt.authenticate(what),
    (thrown) => {
      assert.ok(thrown instanceof CmcpError, String(thrown));
      assert.equal(thrown.code, "UNAUTHENTICATED");
      assert.equal(thrown.detail.reason, because);
      return true;
    },
    because,
  );
}

test("a token of each algorithm proves its subject", async () => {
  const jwt = await authenticator();
  for (const key of KEYS) {
    const caller = await jwt.authenticate(token(key, goodClaims()));
    assert.deepEqual(
      { ...caller, claims: [...caller.claims] },
      {
        source: "jwt",
        principalId: "trading-desk",
        workflows: null,
        issuer: ISSUER,
        subject: "desk-7",
        claims: [],
        expiresAt: NOW + 660_000,
      },
    );
  }
});

test("no bit of a token can be changed", async () => {
  const jwt = await authenticator([ES256]);
  const good = token(ES256, goodClaims());
  await fc.assert(
    fc.asyncProperty(
      fc.nat(good.length - 1),
      fc.constantFrom(...Array.from("ABCDabcd0189-_.")),
      async (at, character) => {
        if (good[at] === character) return;
        const changed = good.slice(0, at) + character + good.slice(at + 1);
        await assert.rejects(jwt.authenticate(changed), { code: "UNAUTHENTICATED" });
      },
    ),
    { numRuns: 300 },
  );
});

test("a token has one spelling", async () => {
  const jwt = await authenticator([ES256]);
  const good = token(ES256, goodClaims());
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const last = alphabet.indexOf(good.at(-1) ?? "");
  // The last character of 64 bytes carries two bits; the four below them mean nothing.
  const other = `${good.slice(0, -1)}${alphabet[last ^ 1]}`;
  assert.deepEqual(
    Buffer.from(other.split(".")[2] ?? "", "base64url"),
    Buffer.from(good.split(".")[2] ?? "", "base64url"),
  );
  await refused(jwt, other, "form");
});

test("any text but a token is refused, quickly and with the same code", async () => {
  const jwt = await authenticator([ES256]);
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string({ maxLength: 200 }),
        fc.stringMatching(/^[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}$/),
      ),
      async (text) => assert.rejects(jwt.authenticate(text), { code: "UNAUTHENTICATED" }),
    ),
  );
});

test("no algorithm but those of the configuration, however it is spelled", async () => {
  const jwt = await authenticator([ES256]);
  for (const alg of ["none", "None", "NONE", "nOnE", "HS256", "es256", "ES512", "ES256K", ""])
    await refused(jwt, bareToken(goodClaims(), alg), "algorithm");
  await refused(jwt, token(EDDSA, goodClaims(), { kid: ES256.kid }), "algorithm");
  await refused(jwt, token(ES256, goodClaims(), { alg: undefined }), "algorithm");
  await refused(jwt, token(ES256, goodClaims(), { alg: ["ES256"] }), "algorithm");
});

test("a public key is no shared secret", async () => {
  const jwt = await authenticator([RS256]);
  const secrets = [
    RS256.publicKey.export({ format: "pem", type: "spki" }),
    RS256.publicKey.export({ format: "der", type: "spki" }),
    JSON.stringify(publicJwk(RS256)),
    "",
  ];
  for (const secret of secrets) await refused(jwt, macToken(secret, goodClaims(), { kid: RS256.kid }), "algorithm");
  // The same bytes under the name of an algorithm that is allowed.
  for (const secret of secrets)
    await refused(jwt, macToken(secret, goodClaims(), { kid: RS256.kid, alg: "RS256" }), "signature");
});

test("a key signs with its own algorithm only", async () => {
  const jwt = await authenticator([RS256, PS256, ES256]);
  await refused(jwt, token({ ...RS256, alg: "PS256" }, goodClaims()), "key");
  await refused(jwt, token({ ...RS256, alg: "PS256" }, goodClaims(), { kid: PS256.kid }), "signature");
  await refused(jwt, token(RS256, goodClaims(), { alg: "ES256", kid: RS256.kid }), "key");
  await refused(jwt, token(ES256, goodClaims(), { alg: "RS256", kid: ES256.kid }), "key");
});

test("the key is the one that is named, and where none is named the only one", async () => {
  const other = testKey("ES256", "other");
  const two = await authenticator([ES256, other]);
  await two.authenticate(token(ES256, goodClaims()));
  await two.authenticate(token(other, goodClaims()));
  await refused(two, token(other, goodClaims(), { kid: ES256.kid }), "signature");
  await refused(two, token(other, goodClaims(), { kid: "unknown" }), "key");
  await refused(two, token(other, goodClaims(), { kid: undefined }), "key");
  await refused(two, token(other, goodClaims(), { kid: "../../dev/null" }), "key");
  await refused(two, token(other, goodClaims(), { kid: 7 }), "header");
  const one = await authenticator([ES256, EDDSA]);
  await one.authenticate(token(ES256, goodClaims(), { kid: undefined }));
});

test("keys and addresses of keys in the token are not looked at", async (t) => {
  const jwt = await authenticator([ES256]);
  const stranger = testKey("ES256", ES256.kid);
  const fetched = t.mock.method(globalThis, "fetch", () => assert.fail("nothing may be fetched"));
  const headers = {
    jwk: stranger.publicKey.export({ format: "jwk" }),
    jku: "https://evil.example/keys",
    x5u: "https://evil.example/cert",
    x5c: ["MIIB"],
  };
  await refused(jwt, token(stranger, goodClaims(), headers), "signature");
  await refused(jwt, token(stranger, goodClaims(), { ...headers, kid: undefined }), "signature");
  assert.equal(
    (await jwt.authenticate(token(ES256, goodClaims(), headers))).subject,
    "desk-7",
    "and do no harm beside a good signature",
  );
  assert.equal(fetched.mock.callCount(), 0);
});

test("extensions marked critical are refused, unsigned payload encodings with them", async () => {
  const jwt = await authenticator([ES256]);
  await refused(jwt, token(ES256, goodClaims(), { crit: ["b64"], b64: false }), "header");
  await refused(jwt, token(ES256, goodClaims(), { crit: [] }), "header");
  await refused(jwt, token(ES256, goodClaims(), { crit: ["exp"], exp: 1 }), "header");
});

test("no issuer is verified with another's keys", async () => {
  const other = testKey("ES256", ES256.kid);
  const base = settings([ES256]).jwt;
  const second = settings([other], { issuer: "https://other.example/" }).jwt;
  const jwt = await JwtAuthenticator.of([...base, ...second], () => NOW);
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

test("a token bound to a key of its sender is no bearer token", async () => {
  const jwt = await authenticator([ES256]);
  for (const cnf of [{ jkt: "x" }, { "x5t#S256": "x" }, null])
    await refused(jwt, token(ES256, goodClaims({ cnf })), "bound");
});

test("no key twice, in header or claims", async () => {
  const jwt = await authenticator([ES256]);
  const text = JSON.stringify(goodClaims());
  await refused(jwt, token(ES256, `${text.slice(0, -1)},"sub":"somebody"}`), "form");
  await refused(jwt, token(ES256, `${text.slice(0, -1)},"__proto__":{"sub":"x"}}`), "form");
  await refused(
    jwt,
    token(ES256, goodClaims(), `{"alg":"ES256","typ":"at+jwt","kid":"${ES256.kid}","alg":"ES256"}`),
    "header",
  );
  for (const body of ["[]", "null", '"x"', "", "{", `${text} x`, `{"n":1e400}`])
    await refused(jwt, token(ES256, body), "form");
});

test("a token over the bound is refused before anything is done with it", async () => {
  const jwt = await authenticator([ES256]);
  await refused(jwt, token(ES256, goodClaims({ pad: "x".repeat(8_000) })), "size");
  await refused(jwt, "a.".repeat(10_000_000), "size");
  const deep = `{"iss":${"[".repeat(200)}${"]".repeat(200)}}`;
  await refused(jwt, token(ES256, deep), "form");
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

test("a key that is none is told when the configuration is read", async () => {
  const broken = settings([ES256]).jwt;
  const key = broken[0]?.jwks.keys[0];
  assert.ok(key?.kty === "EC");
  key.x = Buffer.alloc(32, 1).toString("base64url");
  await assert.rejects(
    JwtAuthenticator.of(broken, () => NOW),
    { code: "CONFIG_INVALID" },
  );
});
