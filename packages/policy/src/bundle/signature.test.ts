import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, sign, verify, type KeyObject } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import { MANIFEST, PERMIT_ALL, bundleOf, schemaText } from "../test-support.ts";
import { signBundle, verifyBundleSignature } from "./signature.ts";
import { compareVersions, requireHigherVersion } from "./version.ts";

const pair = (): { privateKey: KeyObject; x: string } => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return { privateKey, x: publicKey.export({ format: "jwk" }).x ?? "" };
};
const { privateKey, x } = pair();
const unsigned = bundleOf(PERMIT_ALL);
const signature = signBundle(unsigned, (bytes) => sign(null, bytes, privateKey));
const signed = (fields: Record<string, string>) => bundleOf(PERMIT_ALL, schemaText(), { ...MANIFEST, ...fields });

test("a bundle signed by the pinned key is accepted, with or without padding, and its hash is that of the unsigned one", () => {
  const bundle = signed({ signature });
  assert.equal(bundle.hash, unsigned.hash);
  verifyBundleSignature(bundle, x);
  verifyBundleSignature(signed({ signature: `${signature}==` }), x);
});

test("the signature is plain Ed25519 over the domain and the hash", () => {
  const key = createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x } });
  assert.ok(
    verify(null, Buffer.from(`cmcp-policy-bundle-v1|${unsigned.hash}`), key, Buffer.from(signature, "base64url")),
  );
});

test("unsigned, malformed, another key's and another bundle's signatures are refused", () => {
  const refused = { name: "CmcpError", code: "POLICY_SIGNATURE_INVALID" };
  assert.throws(() => verifyBundleSignature(unsigned, x), refused);
  assert.throws(() => verifyBundleSignature(signed({ signature: "" }), x), refused);
  assert.throws(() => verifyBundleSignature(signed({ signature: signature.slice(0, 40) }), x), refused);
  assert.throws(() => verifyBundleSignature(signed({ signature: "*" }), x), refused);
  assert.throws(() => verifyBundleSignature(signed({ signature }), pair().x), refused);
  assert.throws(() => verifyBundleSignature(signed({ signature, version: "1.2.1" }), x), refused);
  assert.throws(() => verifyBundleSignature(signed({ signature }), "AAAA"), refused);
});

test("versions are ordered by number, not by text, and equal ones are not higher", () => {
  assert.ok(compareVersions("1.10.0", "1.9.9") > 0);
  assert.ok(compareVersions("2", "10") < 0);
  assert.equal(compareVersions("1.2", "1.2.0"), 0);
  assert.equal(compareVersions("2026.08.01", "2026.8.1"), 0);
  requireHigherVersion("1.2.1", "1.2.0");
  for (const next of ["1.2.0", "1.2", "1.1.9", "0"])
    assert.throws(() => requireHigherVersion(next, "1.2.0"), { code: "POLICY_VERSION_NOT_HIGHER" });
});

test("a version that has no order is refused on either side", () => {
  for (const version of [
    "",
    "v1",
    "1.",
    ".1",
    "1..2",
    "1.0-beta",
    "1e3",
    "-1",
    " 1",
    "1\n",
    "1.2.3.4.5.6.7.8.9",
    "9".repeat(16),
  ]) {
    assert.throws(() => compareVersions(version, "1"), { code: "POLICY_BUNDLE_INVALID" }, JSON.stringify(version));
    assert.throws(() => compareVersions("1", version), { code: "POLICY_BUNDLE_INVALID" }, JSON.stringify(version));
  }
});

test("versions are totally ordered", () => {
  const version = fc.array(fc.nat(3), { minLength: 1, maxLength: 4 }).map((numbers) => numbers.join("."));
  fc.assert(
    fc.property(version, version, version, (a, b, c) => {
      assert.equal(Math.sign(compareVersions(a, b)) + Math.sign(compareVersions(b, a)), 0);
      if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0) assert.ok(compareVersions(a, c) <= 0);
    }),
  );
});
