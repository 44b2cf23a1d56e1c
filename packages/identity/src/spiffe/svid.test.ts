/** JWT-SVIDs: trust domains as issuers, their bundles, and who their workloads are. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { JwtAuthenticator } from "../jwt/authenticator.ts";
import { NO_KEYS } from "../jwks/remote-keys.ts";
import { requirePrincipals } from "../principals.ts";
import { identitySchema, type IdentitySettings } from "../schema.ts";
import { refused } from "../testing/authenticator.ts";
import {
  AUDIENCE,
  ISSUER,
  NOW,
  goodClaims,
  publicJwk,
  settings,
  testKey,
  token,
  type TestKey,
} from "../testing/issuer.ts";
import { bundlesSchema, x509Authorities, type TrustBundles } from "./bundle.ts";

const DOMAIN = "bank.example";
const ID = `spiffe://${DOMAIN}/agents/desk-7`;
const KEY = testKey("ES256", "svid-1");
const OTHER = testKey("ES256", "svid-1");
const X509 = { use: "x509-svid", kty: "EC", crv: "P-256", x: "AA", y: "AA", x5c: ["AAAA"] };

const jwtKey = (key: TestKey, rest: object = {}): object => {
  const { alg: _, ...jwk } = publicJwk(key);
  return { ...jwk, use: "jwt-svid", ...rest };
};
const bundles = (keys: readonly object[], domain = DOMAIN): TrustBundles =>
  bundlesSchema.parse({ [domain]: { keys, spiffe_sequence: 1, spiffe_refresh_hint: 300 } });
const BUNDLES = bundles([X509, jwtKey(KEY), { use: "wit-svid", kty: "EC" }]);

const identity = (rest: object = {}, whole: object = {}): IdentitySettings =>
  identitySchema.parse({
    spiffe: [
      {
        trust_domain: DOMAIN,
        audience: [AUDIENCE],
        algorithms: ["ES256"],
        any_subject: { workflows: ["default"] },
        ...rest,
      },
    ],
    ...whole,
  });

const authenticator = async (
  known: IdentitySettings = identity(),
  of: TrustBundles = BUNDLES,
): Promise<JwtAuthenticator> =>
  await JwtAuthenticator.of(known, () => NOW, { possession: null, remoteKeys: () => NO_KEYS, bundles: of });

/** A JWT-SVID as SPIRE issues them: without an issuer. */
function svid(claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}, key: TestKey = KEY): string {
  const { iss: _, ...rest } = goodClaims({ sub: ID });
  return token(key, { ...rest, ...claims }, { typ: "JWT", ...header });
}

test("a workload of the trust domain is a principal, whose name is its SPIFFE ID", async () => {
  const jwt = await authenticator();
  for (const header of [{}, { typ: "JOSE" }, { typ: undefined }]) {
    const caller = await jwt.authenticate(svid({}, header));
    assert.deepEqual(
      [caller.principalId, caller.subject, caller.issuer, caller.workflows, caller.keySet, caller.thumbprint],
      [ID, ID, `spiffe://${DOMAIN}`, ["default"], null, null],
    );
  }
});

test("a listed workload stands for its principal, and scopes choose workflows as for any issuer", async () => {
  const jwt = await authenticator(
    identity({
      any_subject: null,
      subjects: [{ subject: ID, principal: "desk", workflows: ["read", "settle"] }],
      scope_workflows: { "mcp:read": ["read"] },
      claims: { unit: { claim: "unit", kind: "text" } },
    }),
  );
  const caller = await jwt.authenticate(svid({ scope: "mcp:read", unit: "fx" }));
  assert.deepEqual([caller.principalId, caller.workflows, caller.claims.get("unit")], ["desk", ["read"], "fx"]);
  await assert.rejects(jwt.authenticate(svid()), { code: "SCOPE_INSUFFICIENT" });
  await refused(jwt, svid({ scope: "mcp:read", sub: `${ID}8` }), "subject");
});

test("what is no JWT-SVID of the trust domain for this gateway is refused", async () => {
  const jwt = await authenticator();
  const now = NOW / 1_000;
  const cases: readonly (readonly [string, string])[] = [
    [svid({ sub: "spiffe://evil.example/agents/desk-7" }), "issuer"],
    [svid({ sub: `spiffe://${DOMAIN}` }), "subject"],
    [svid({ sub: `spiffe://${DOMAIN}/` }), "issuer"],
    [svid({ sub: `${ID}/` }), "issuer"],
    [svid({ sub: "SPIFFE://bank.example/agents/desk-7" }), "issuer"],
    [svid({ sub: `spiffe://${DOMAIN}/../evil.example/a` }), "issuer"],
    [svid({ sub: [ID] }), "issuer"],
    [svid({ sub: "desk-7" }), "issuer"],
    [svid({ iss: `spiffe://${DOMAIN}`, sub: "desk-7" }), "subject"],
    [svid({ iss: `spiffe://${DOMAIN}`, sub: "spiffe://evil.example/a" }), "subject"],
    [svid({ sub: `spiffe://${DOMAIN}/${"a".repeat(128)}` }), "subject"],
    [svid({ aud: "https://other.example/mcp" }), "audience"],
    [svid({ aud: [] }), "audience"],
    [svid({ aud: undefined }), "audience"],
    [svid({ exp: now - 61 }), "expired"],
    [svid({ exp: undefined }), "lifetime"],
    [svid({ exp: now + 3_661 }), "lifetime"],
    [svid({ nbf: now + 61 }), "early"],
    [svid({}, { kid: undefined }), "key"],
    [svid({}, { kid: "svid-2" }), "key"],
    [svid({}, { typ: "at+jwt" }), "type"],
    [svid({}, { alg: "ES384" }), "algorithm"],
    [svid({}, {}, OTHER), "signature"],
    [svid({ cnf: { x5t: "a" } }), "bound"],
    [svid({ cnf: { jkt: "A".repeat(43) } }), "bound"],
  ];
  for (const [what, reason] of cases) await refused(jwt, what, reason);
});

test("no trust domain and no issuer verifies with another's keys, whatever a token says of itself", async () => {
  const evil = "evil.example";
  const evilKey = testKey("ES256", "svid-1");
  const staffKey = testKey("ES256", "svid-1");
  const both = identitySchema.parse({
    ...settings([staffKey], { types: ["JWT"], any_subject: { prefix: "staff:" } }),
    spiffe: [DOMAIN, evil].map((domain) => ({
      trust_domain: domain,
      audience: [AUDIENCE],
      algorithms: ["ES256"],
      any_subject: {},
    })),
  });
  const jwt = await authenticator(both, { ...BUNDLES, ...bundles([jwtKey(evilKey)], evil) });
  assert.equal((await jwt.authenticate(svid())).principalId, ID);
  assert.equal(
    (await jwt.authenticate(svid({ sub: `spiffe://${evil}/a` }, {}, evilKey))).principalId,
    `spiffe://${evil}/a`,
  );
  await refused(jwt, svid({}, {}, evilKey), "signature");
  await refused(jwt, svid({ sub: `spiffe://${evil}/a` }), "signature");
  await refused(jwt, svid({ iss: `spiffe://${evil}` }), "signature");
  await refused(jwt, svid({ iss: `spiffe://${evil}` }, {}, evilKey), "subject");
  // An issuer that a token names comes first: its keys must have signed, and the subject is then its own.
  await refused(jwt, svid({ iss: ISSUER }), "signature");
  const caller = await jwt.authenticate(token(staffKey, goodClaims({ sub: ID }), { typ: "JWT" }));
  assert.deepEqual([caller.principalId, caller.issuer], [`staff:${ID}`, ISSUER]);
});

test("a principal of a trust domain is its SPIFFE ID, or nobody", async () => {
  const jwt = await authenticator();
  const path = fc.stringMatching(/^[a-zA-Z0-9._/@:%-]{0,60}$/);
  await fc.assert(
    fc.asyncProperty(path, async (text) => {
      const sub = `spiffe://${DOMAIN}/${text}`;
      await jwt.authenticate(svid({ sub })).then(
        ({ principalId }) => assert.equal(principalId, sub),
        ({ code }: { code: string }) => assert.equal(code, "UNAUTHENTICATED"),
      );
    }),
    { numRuns: 200 },
  );
});

test("a bundle with secrets, too many keys or keys without what they need is refused as a whole", () => {
  const key = jwtKey(KEY);
  const secret = { ...KEY.privateKey.export({ format: "jwk" }), kid: "s", use: "jwt-svid" };
  const cases: readonly (readonly [readonly object[], RegExp])[] = [
    [[key, secret], /private or shared key/],
    [[key, { ...secret, use: "other" }], /private or shared key/],
    [[key, { kty: "oct", k: "AA" }], /private or shared key/],
    [Array.from({ length: 1_000 }, (_, index) => ({ ...key, kid: `${index}` })), /64/],
    [[], /1/],
    [[{ use: "jwt-svid", kty: "EC" }], /without a kid/],
    [[jwtKey(KEY, { kid: "" })], /without a kid/],
    [[key, jwtKey(OTHER)], /duplicate kid/],
    [[{ ...X509, x5c: [] }], /exactly one certificate/],
    [[{ ...X509, x5c: "AAAA" }], /exactly one certificate/],
    [[{ ...X509, x5c: ["AAAA", "AAAA"] }], /exactly one certificate/],
  ];
  for (const [keys, message] of cases) {
    const parsed = bundlesSchema.safeParse({ [DOMAIN]: { keys } });
    assert.equal(parsed.success, false);
    assert.match(parsed.error?.message ?? "", message);
    assert.doesNotMatch(parsed.error?.message ?? "", /"d"/);
  }
  for (const domain of ["Bank.example", "", "spiffe://bank.example", "bank.example/a"])
    assert.equal(bundlesSchema.safeParse({ [domain]: { keys: [key] } }).success, false, domain);
  const many = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`d${index}`, { keys: [key] }]));
  assert.equal(bundlesSchema.safeParse(many).success, false);
  assert.deepEqual(x509Authorities(BUNDLES[DOMAIN] ?? { keys: [] }), ["AAAA"]);
});

test("a trust domain needs a bundle, and each of its keys one accepted algorithm", async () => {
  const rsa = testKey("RS256", "rsa");
  const cases: readonly (readonly [TrustBundles, readonly string[], RegExp])[] = [
    [{}, ["ES256"], /names the trust domain bank\.example, which enclave\.spiffe_bundles does not have/],
    [bundles([X509]), ["ES256"], /has no key of use jwt-svid/],
    [bundles([jwtKey(KEY, { use: "sig" })]), ["ES256"], /has no key of use jwt-svid/],
    [bundles([jwtKey(KEY), jwtKey(rsa)]), ["ES256"], /the key "rsa" is not a public key for exactly one/],
    [bundles([jwtKey(rsa)]), ["RS256", "PS256"], /the key "rsa" is not a public key for exactly one/],
    [bundles([jwtKey(KEY, { x: "AA" })]), ["ES256"], /the key "svid-1" is not a public key/],
  ];
  for (const [of, algorithms, message] of cases)
    await assert.rejects(authenticator(identity({ algorithms }), of), { code: "CONFIG_INVALID", message });
  const jwt = await authenticator(identity({ algorithms: ["RS256"] }), bundles([jwtKey(rsa)]));
  assert.equal((await jwt.authenticate(svid({}, {}, rsa))).principalId, ID);
});

test("settings that let nobody in, or whose names could be another's, are refused", () => {
  const parse = (rest: object, whole: object = {}): boolean => {
    try {
      identity(rest, whole);
      return true;
    } catch {
      return false;
    }
  };
  assert.equal(parse({}), true);
  assert.equal(parse({ any_subject: null }), false);
  assert.equal(parse({ algorithms: ["EdDSA"] }), false);
  assert.equal(parse({ max_lifetime_seconds: 86_401 }), false);
  for (const subject of ["desk-7", `spiffe://${DOMAIN}`, "spiffe://evil.example/a"])
    assert.equal(parse({ subjects: [{ subject, principal: "desk" }] }), false, subject);
  const { jwt, resource } = settings([KEY]);
  const [issuer] = jwt;
  assert.equal(parse({}, { resource, jwt: [{ ...issuer, issuer: `spiffe://${DOMAIN}` }] }), false);
  for (const prefix of ["spiffe:", `spiffe://${DOMAIN}/x`])
    assert.equal(parse({}, { resource, jwt: [{ ...issuer, any_subject: { prefix } }] }), false, prefix);
  const [one] = identity().spiffe ?? [];
  assert.equal(parse({}, { spiffe: [one, one] }), false);
  assert.throws(() => requirePrincipals(identity(), new Set([ID])), { code: "CONFIG_INVALID", message: /any_subject/ });
  const listed = identity({ subjects: [{ subject: ID, principal: "desk" }] });
  assert.throws(() => requirePrincipals(listed, new Set()), {
    message: /identity\.spiffe: bank\.example names .* desk/,
  });
  requirePrincipals(listed, new Set(["desk"]));
});
