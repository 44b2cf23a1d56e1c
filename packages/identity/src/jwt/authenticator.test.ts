import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  ISSUER,
  NOW,
  bareToken,
  goodClaims,
  macToken,
  publicJwk,
  settings,
  testKey,
  token,
} from "../testing/issuer.ts";
import { JwtAuthenticator } from "./authenticator.ts";
import { EDDSA, ES256, KEYS, PS256, RS256, authenticator, refused } from "../testing/authenticator.ts";

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
        thumbprint: null,
        keySet: null,
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

test("a token bound to a key of its sender is no bearer token, where no proof can be checked", async () => {
  const jwt = await authenticator([ES256]);
  for (const cnf of [{ jkt: "x" }, { jkt: "A".repeat(43) }, { "x5t#S256": "x" }, null])
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

test("a key that is none is told when the configuration is read", async () => {
  const broken = settings([ES256]);
  const key = broken.jwt[0]?.jwks?.keys[0];
  assert.ok(key?.kty === "EC");
  key.x = Buffer.alloc(32, 1).toString("base64url");
  await assert.rejects(
    JwtAuthenticator.of(broken, () => NOW),
    { code: "CONFIG_INVALID" },
  );
});
