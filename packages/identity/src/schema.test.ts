import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { requirePrincipals } from "./principals.ts";
import { identitySchema } from "./schema.ts";
import { publicJwk, settings, testKey, type TestKey } from "./testing/issuer.ts";

const ES256 = testKey("ES256");
const RS256 = testKey("RS256");

function refuses(rest: Record<string, unknown>, path: string, keys: readonly TestKey[] = [ES256]): void {
  assert.throws(
    () => settings(keys, rest),
    (error: { issues: { path: PropertyKey[] }[] }) => {
      assert.ok(
        error.issues.some(
          (issue) =>
            ["jwt", "0", ...path.split(".")].join(".").startsWith(issue.path.join(".")) ||
            issue.path.join(".").includes(path),
        ),
        JSON.stringify(error.issues),
      );
      return true;
    },
  );
}

test("defaults: nobody, and nothing to say", () => {
  assert.deepEqual(identitySchema.parse({}), { scopes_supported: [], jwt: [] });
});

test("what could let in more than was meant is refused when the configuration is read", () => {
  refuses({ algorithms: ["none"] }, "algorithms");
  refuses({ algorithms: ["HS256"] }, "algorithms");
  refuses({ algorithms: [] }, "algorithms");
  refuses({ audience: [] }, "audience");
  refuses({ subjects: [] }, "subjects");
  refuses({ jwks: { keys: [] } }, "jwks");
  refuses({ clock_skew_seconds: 301 }, "clock_skew_seconds");
  refuses({ max_lifetime_seconds: 86_400 * 8 }, "max_lifetime_seconds");
  refuses({ types: ["logout+jwt"] }, "types");
  refuses({ jwks_uri: "https://login.bank.example/keys" }, "");
  refuses(
    {
      subjects: [
        { subject: "a", principal: "x" },
        { subject: "a", principal: "y" },
      ],
    },
    "subjects",
  );
  refuses({ any_subject: { prefix: "" } }, "any_subject");
  refuses({ claims: { "No-Name": { claim: "x", kind: "text" } } }, "claims");
  refuses(
    {
      claims: Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`c${index}`, { claim: "x", kind: "text" }])),
    },
    "claims",
  );
});

test("keys are public, of one algorithm, of sound sizes, each with a kid of its own", () => {
  const jwk = publicJwk(ES256);
  const keys = (...list: readonly Record<string, unknown>[]): Record<string, unknown> => ({ jwks: { keys: list } });
  refuses(keys({ ...jwk, d: ES256.privateKey.export({ format: "jwk" }).d }), "jwks");
  refuses(keys({ kty: "oct", k: "c2VjcmV0", kid: "s", alg: "HS256" }), "jwks");
  refuses(keys(jwk, jwk), "jwks.keys");
  refuses(keys({ ...jwk, kid: undefined }), "jwks");
  refuses(keys({ ...jwk, alg: "RS256" }), "jwks");
  refuses(keys({ ...jwk, alg: "HS256" }), "jwks");
  refuses(keys({ ...jwk, use: "enc" }), "jwks");
  refuses(keys({ ...jwk, crv: "secp256k1" }), "jwks");
  refuses(keys({ ...jwk, x: `${String(jwk["x"])}AA` }), "jwks");
  refuses({ ...keys(publicJwk(RS256)), algorithms: ["ES256"] }, "jwks");
  const small = publicJwk({ ...generateKeyPairSync("rsa", { modulusLength: 1_024 }), kid: "k", alg: "RS256" });
  refuses({ ...keys(small), algorithms: ["RS256"] }, "jwks");
  refuses(
    { ...keys({ ...publicJwk(RS256), n: Buffer.alloc(513, 0x7f).toString("base64url") }), algorithms: ["RS256"] },
    "jwks",
  );
  refuses({ ...keys({ ...publicJwk(RS256), e: "Aw" }), algorithms: ["RS256"] }, "jwks");
  refuses({ ...keys({ ...publicJwk(RS256), alg: undefined }), algorithms: ["RS256", "PS256"] }, "jwks");
  settings([RS256], {
    ...keys({ ...publicJwk(RS256), alg: undefined, x5c: ["MIIB"], use: "sig" }),
    algorithms: ["RS256"],
  });
});

test("jwt needs the resource, issuers are distinct, prefixes do not overlap", () => {
  const one = settings([ES256]).jwt[0];
  assert.ok(one !== undefined);
  const accepts = (jwt: readonly unknown[], resource: string | undefined = "https://a.example/mcp"): boolean =>
    identitySchema.safeParse({ ...(resource === undefined ? {} : { resource }), jwt }).success;
  assert.equal(accepts([one]), true);
  assert.equal(identitySchema.safeParse({ jwt: [one] }).success, false);
  assert.equal(accepts([one, one]), false);
  const any = (issuer: string, prefix: string): unknown => ({ ...one, issuer, any_subject: { prefix } });
  assert.equal(accepts([any("https://a/", "staff:"), any("https://b/", "guest:")]), true);
  assert.equal(accepts([any("https://a/", "staff:"), any("https://b/", "staff:b:")]), false);
  assert.equal(accepts([any("https://a/", "s"), any("https://b/", "s")]), false);
});

test("subjects stand for measured principals, and no principal can be taken for a subject", () => {
  const listed = settings([ES256]);
  requirePrincipals(listed, new Set(["default", "trading-desk"]));
  assert.throws(() => requirePrincipals(listed, new Set(["default"])), { code: "CONFIG_INVALID" });
  const any = settings([ES256], { any_subject: { prefix: "staff:" } });
  requirePrincipals(any, new Set(["trading-desk", "staff"]));
  assert.throws(() => requirePrincipals(any, new Set(["trading-desk", "staff:anna"])), { code: "CONFIG_INVALID" });
});

test("keys are either listed or fetched, and what is trusted for it goes together", () => {
  const [listed] = settings([ES256]).jwt;
  const pins = [`SHA256:${Buffer.alloc(32).toString("base64")}`];
  const uri = "https://login.bank.example/keys?a=b";
  const accepts = (rest: object): boolean =>
    identitySchema.safeParse({ ...settings([ES256]), jwt: [{ ...listed, ...rest }] }).success;
  const fetched = (jwksFetch: object, jwksUri = uri): boolean =>
    accepts({ jwks: null, jwks_uri: jwksUri, jwks_fetch: jwksFetch });
  assert.deepEqual([accepts({}), fetched({ pins })], [true, true]);
  assert.deepEqual([accepts({ jwks: null }), accepts({ jwks_uri: uri, jwks_fetch: { pins } })], [false, false]);
  assert.deepEqual([accepts({ jwks_fetch: { pins } }), accepts({ jwks: null, jwks_uri: uri })], [false, false]);
  for (const known of [
    { trust: "pinned", pins },
    { trust: "webpki" },
    { trust: "webpki", issuer_pins: pins },
    { trust: "private-ca", roots: ["corp"], issuer_pins: pins },
    { pins, refresh_seconds: 30, max_age_seconds: 60 },
  ])
    assert.equal(fetched(known), true, JSON.stringify(known));
  for (const known of [
    {},
    { pins: [] },
    { pins: [pins[0], pins[0]] },
    { pins: ["SHA256:AAAA"] },
    { pins, roots: ["corp"] },
    { pins, issuer_pins: pins },
    { trust: "webpki", pins },
    { trust: "webpki", roots: ["corp"] },
    { trust: "private-ca" },
    { trust: "attested" },
    { pins, refresh_seconds: 29 },
    { pins, refresh_seconds: 3_600 },
    { pins, max_age_seconds: 604_801 },
  ])
    assert.equal(fetched(known), false, JSON.stringify(known));
  for (const address of [
    "http://a.example/keys",
    "https://u:p@a.example/",
    "https://a.example/#x",
    "keys",
    "file:///x",
  ])
    assert.equal(fetched({ pins }, address), false, address);
});
