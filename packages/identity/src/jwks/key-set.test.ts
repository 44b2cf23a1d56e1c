import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { CmcpError, untrusted } from "@cmcp/boundary";
import * as fc from "fast-check";
import type { Algorithm } from "../jwt/algorithms.ts";
import { EDDSA, ES256, RS256 } from "../testing/authenticator.ts";
import { publicJwk, testKey } from "../testing/issuer.ts";
import type { KeySetFault } from "./fault.ts";
import { readKeySet, type KeySet } from "./key-set.ts";

const ACCEPTED: readonly Algorithm[] = ["ES256", "EdDSA", "RS256"];
const GOOD = publicJwk(ES256);

const read = async (text: string): Promise<KeySet> => await readKeySet(untrusted(Buffer.from(text)), ACCEPTED);
const readKeys = async (...keys: readonly unknown[]): Promise<KeySet> => await read(JSON.stringify({ keys }));

async function refused(reading: Promise<KeySet>, because: KeySetFault): Promise<void> {
  await assert.rejects(
    reading,
    (thrown) => {
      assert.ok(thrown instanceof CmcpError && thrown.code === "ISSUER_KEYS_UNAVAILABLE", String(thrown));
      assert.equal(thrown.detail.keys, because);
      return true;
    },
    because,
  );
}

test("the keys that tokens may be signed with are taken, and those for other uses are left out", async () => {
  const encryption = { ...publicJwk(testKey("RS256", "enc")), use: "enc", alg: "RSA-OAEP" };
  const others = [
    encryption,
    { ...publicJwk(testKey("ES384", "another algorithm")) },
    { ...publicJwk(testKey("ES256", "wrong use")), use: "enc" },
    { ...publicJwk(testKey("ES256", "wrong operation")), key_ops: ["encrypt"] },
    { ...publicJwk(testKey("ES256", "wrong algorithm")), alg: "ES384" },
    { ...publicJwk(testKey("ES256")), kid: undefined },
    { kty: "EC", crv: "secp256k1", kid: "another curve", x: GOOD["x"], y: GOOD["y"] },
    { kty: "EC", crv: "P-256", kid: "no point", x: GOOD["x"], y: GOOD["x"] },
    { kty: "new", kid: "another kind" },
    { ...publicJwk(RS256), kid: "small", n: "AQAB" },
  ];
  const extra = {
    ...publicJwk(EDDSA),
    use: "sig",
    key_ops: ["verify"],
    x5c: ["MIIB"],
    issuer: "https://login.example",
  };
  const { ring } = await readKeys(GOOD, extra, ...others);
  assert.equal(ring.size, 2);
  assert.deepEqual([ring.has(ES256.kid), ring.has(EDDSA.kid), ring.has("enc")], [true, true, false]);
  await refused(readKeys(...others), "none");
});

test("a key that two accepted algorithms fit is left out", async () => {
  const { alg: _, ...bare } = publicJwk(RS256);
  const both: readonly Algorithm[] = ["RS256", "PS256"];
  const set = (key: object) => untrusted(Buffer.from(JSON.stringify({ keys: [key] })));
  await refused(readKeySet(set(bare), both), "none");
  assert.equal((await readKeySet(set(publicJwk(RS256)), both)).ring.size, 1);
  assert.equal((await readKeys(bare)).ring.size, 1);
});

test("a set with a private or a shared key is refused as a whole", async () => {
  const { privateKey } = generateKeyPairSync("ed25519");
  const rsa = RS256.privateKey.export({ format: "jwk" });
  for (const secret of [
    { ...privateKey.export({ format: "jwk" }), kid: "a" },
    { ...ES256.privateKey.export({ format: "jwk" }), kid: "b" },
    { ...rsa, kid: "c" },
    { ...publicJwk(RS256), kid: "d", p: rsa.p },
    { kty: "oct", kid: "e" },
    { kty: "oct", k: "AAAA", kid: "f", use: "enc" },
    { ...publicJwk(testKey("ES256")), kid: "g", k: "" },
  ])
    await refused(readKeys(GOOD, secret), "private");
});

test("a thousand keys are refused, and so is one above the bound", async () => {
  const many = (count: number): unknown[] => Array.from({ length: count }, (_, at) => ({ ...GOOD, kid: `k${at}` }));
  assert.equal((await readKeys(...many(100))).ring.size, 100);
  await refused(readKeys(...many(101)), "many");
  await refused(readKeys(...many(1_000)), "many");
  await refused(read(JSON.stringify({ keys: [GOOD], pad: "x".repeat(256 * 1_024) })), "size");
});

test("two keys of one kid are refused, whatever they are for", async () => {
  await refused(readKeys(GOOD, { ...publicJwk(testKey("RS256")), kid: ES256.kid, use: "enc" }), "duplicate");
  await refused(readKeys(GOOD, GOOD), "duplicate");
});

test("what is no JWK set is refused", async () => {
  for (const text of ["", "[]", "null", "{}", '{"keys":{}}', '{"keys":[5]}', "<html>", '{"keys":[],"keys":[]}'])
    await refused(read(text), "form");
  await refused(readKeys({ ...GOOD, kid: 5 }), "form");
  await refused(readKeys({ ...GOOD, kid: "" }), "form");
  await refused(readKeys({ ...GOOD, kid: "k".repeat(257) }), "form");
  await refused(readKeys(), "none");
});

test("the hash is of the canonical set, so that any copy of it gives the same", async () => {
  const one = await readKeys(GOOD);
  const { kid, ...rest } = GOOD;
  const same = await read(`{ "keys": [ ${JSON.stringify({ ...rest, kid })} ] }`);
  assert.equal(one.hash, same.hash);
  assert.match(one.hash, /^sha256:[0-9a-f]{64}$/);
  assert.notEqual(one.hash, (await readKeys({ ...GOOD, kid: "other" })).hash);
});

test("property: any JSON is a set or one kind of refusal", async () => {
  const jwk = fc.record(
    {
      kty: fc.constantFrom("EC", "RSA", "OKP", "oct", 5),
      crv: fc.constantFrom("P-256", "Ed25519", null),
      x: fc.string(),
      y: fc.base64String(),
      n: fc.base64String(),
      e: fc.constantFrom("AQAB", "AQ"),
      kid: fc.oneof(fc.string(), fc.integer()),
      d: fc.string(),
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.array(jwk), fc.jsonValue()), async (keys) => {
      await readKeys(...[keys].flat()).then(
        ({ ring }) => assert.ok(ring.size > 0),
        (thrown: unknown) => assert.ok(thrown instanceof CmcpError && thrown.code === "ISSUER_KEYS_UNAVAILABLE"),
      );
    }),
    { numRuns: 200 },
  );
});
