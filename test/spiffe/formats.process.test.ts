/** SPIFFE IDs, bundles, JWT-SVIDs and X.509-SVIDs, against the SPIFFE project's own library and its published test material. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, before, describe, test } from "node:test";
import * as fc from "fast-check";
import { CmcpError, isJsonObject, parseJsonText, readSpiffeId, type JsonObject } from "@cmcp/boundary";
import { identitySchema, JwtAuthenticator } from "@cmcp/identity";
import { bundlesSchema, x509Authorities } from "@cmcp/identity/bundle";
import { readDomainRoots } from "@cmcp/mcp";
import { checkSvid } from "../../packages/mcp/src/upstream/svid.ts";
import { Counterpart, hasCounterpart, NO_COUNTERPART, published } from "./counterpart.ts";

const DOMAIN = "bank.example";
const AUDIENCE = "https://gateway.bank.example/mcp";
const LIMITS = { maxBytes: 1024 * 1024, maxDepth: 16, maxItems: 10_000 };

async function authenticator(bundles: JsonObject): Promise<JwtAuthenticator> {
  const settings = identitySchema.parse({
    spiffe: [{ trust_domain: DOMAIN, audience: [AUDIENCE], algorithms: ["ES256"], any_subject: {} }],
  });
  return await JwtAuthenticator.of(settings, Date.now, {
    possession: null,
    remoteKeys: () => {
      throw new Error("nothing is fetched");
    },
    bundles: bundlesSchema.parse(bundles),
  });
}

describe("against go-spiffe", { skip: hasCounterpart() ? false : NO_COUNTERPART }, () => {
  let spiffe: Counterpart;
  before(() => {
    spiffe = new Counterpart();
  });
  after(async () => await spiffe.close());

  test("a text is a SPIFFE ID here exactly where it is one there, with the same parts", async () => {
    const near = fc.stringMatching(/^spiffe:\/\/[a-z0-9A-Z._%:@-]{0,8}(\/[a-zA-Z0-9._~%-]{0,4}){0,3}$/);
    const fixed = ["", "spiffe://", "spiffe://a", "spiffe://a/", "spiffe://a//b", "spiffe://a/./b", "spiffe://a/é"];
    let valid = 0;
    for (const text of [...fixed, ...fc.sample(near, 2_000), ...fc.sample(fc.string(), 200)]) {
      const id = readSpiffeId(text);
      if (id !== null) valid += 1;
      assert.equal(id === null ? null : `${id.trustDomain} ${id.path}`, await spiffe.id(text), JSON.stringify(text));
    }
    assert.ok(valid > 50, `${valid} of the texts are SPIFFE IDs`);
  });

  test("a bundle that it writes is read, and its JWT-SVIDs verify here where they verify there", async () => {
    const jwt = await authenticator({ [DOMAIN]: await spiffe.domain(DOMAIN) });
    const now = Math.floor(Date.now() / 1_000);
    const good = { sub: `spiffe://${DOMAIN}/agents/a`, aud: [AUDIENCE], exp: now + 300, iat: now - 60 };
    await spiffe.domain("evil.example");
    const cases: readonly (readonly [string, boolean])[] = [
      [await spiffe.token(DOMAIN, good), true],
      [await spiffe.token(DOMAIN, good, { typ: "JWT" }), true],
      [await spiffe.token(DOMAIN, good, { typ: "JOSE" }), true],
      [await spiffe.token(DOMAIN, { ...good, iss: "https://spire.bank.example" }), true],
      [await spiffe.token(DOMAIN, good, { typ: "at+jwt" }), false],
      [await spiffe.token(DOMAIN, good, { kid: "second" }), false],
      [await spiffe.token(DOMAIN, good, { kid: "" }), false],
      [await spiffe.token(DOMAIN, { ...good, exp: now - 300 }), false],
      [await spiffe.token(DOMAIN, { ...good, exp: undefined }), false],
      [await spiffe.token(DOMAIN, { ...good, aud: ["https://other.example"] }), false],
      [await spiffe.token(DOMAIN, { ...good, sub: "spiffe://evil.example/agents/a" }), false],
      [await spiffe.token(DOMAIN, { ...good, sub: "agents/a" }), false],
      [await spiffe.token("evil.example", good), false],
    ];
    for (const [index, [token, isGood]] of cases.entries()) {
      assert.equal(await spiffe.acceptsToken(DOMAIN, token, AUDIENCE), isGood, `there ${index}`);
      const here = await jwt.authenticate(token).then(
        ({ principalId }) => principalId === good.sub,
        (thrown) => !(thrown instanceof CmcpError && thrown.code === "UNAUTHENTICATED"),
      );
      assert.equal(here, isGood, `here ${index}`);
    }
  });

  test("the bundles that the library's tests publish are read, and those that it refuses are refused", async () => {
    const read = async (name: string): Promise<JsonObject> => {
      const text = await published(`bundle/spiffebundle/testdata/${name}`);
      const bundle = parseJsonText(text, LIMITS);
      assert.ok(isJsonObject(bundle));
      const isAccepted = bundlesSchema.safeParse({ [DOMAIN]: bundle }).success;
      assert.equal(isAccepted, await spiffe.acceptsBundle(DOMAIN, text), name);
      return bundle;
    };
    for (const name of [
      "spiffebundle_missing_kid.json",
      "spiffebundle_multiple_x509.json",
      "spiffebundle_no_keys.json",
    ])
      await read(name);
    for (const name of ["spiffebundle_valid_1.json", "spiffebundle_valid_2.json", "spiffebundle_valid_with_wit.json"]) {
      const bundle = bundlesSchema.parse({ [DOMAIN]: await read(name) })[DOMAIN];
      assert.ok(bundle !== undefined);
      const ids = x509Authorities(bundle).map((der) => new X509Certificate(Buffer.from(der, "base64")).subjectAltName);
      // An authority of another trust domain's name is none of this one.
      const [domain] = ids[0]?.match(/(?<=URI:spiffe:\/\/)[a-z.]+/) ?? [];
      if (domain === undefined) continue;
      assert.equal(readDomainRoots(domain, x509Authorities(bundle)).size, ids.length);
      assert.throws(() => readDomainRoots("other.example", x509Authorities(bundle)), { code: "CONFIG_INVALID" });
    }
  });

  test("of the certificates that the library's tests publish, only good leaves are X.509-SVIDs", async () => {
    const good = new X509Certificate(await published("svid/x509svid/testdata/good-leaf-only.pem"));
    const [id = ""] = good.subjectAltName?.match(/spiffe:\/\/[^,]+/) ?? [];
    assert.notEqual(id, "");
    checkSvid(good.raw, id);
    assert.throws(() => checkSvid(good.raw, `${id}x`), { detail: { reason: "wrong-spiffe-id" } });
    for (const name of ["ca-true", "cert-sign", "crl-sign", "empty-id", "no-digital-signature"]) {
      const { raw } = new X509Certificate(await published(`svid/x509svid/testdata/wrong-leaf-${name}.pem`));
      assert.throws(() => checkSvid(raw, id), { detail: { reason: "invalid-svid" } }, name);
    }
  });
});
