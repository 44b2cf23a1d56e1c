import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import { ecKeys, issue, type Issued } from "../testing/authority.ts";
import { keyKind, signatureAlgorithm } from "./algorithm.ts";
import { Certificate } from "./certificate.ts";
import { DerReader } from "./der.ts";
import { ecdsaSignature, verifySignedBy } from "./signature.ts";

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));
const algorithm = (hex: string) => signatureAlgorithm(new DerReader(bytes(hex), "a sample"));

const SHA384 = "300d06096086480165030402020500";
const SHA256 = "300d06096086480165030402010500";
const MGF1_SHA384 = `301a06092a864886f70d010108${SHA384}`;
const MGF1_SHA256 = `301a06092a864886f70d010108${SHA256}`;
const sized = (tag: string, hex: string): string => `${tag}${(hex.length / 2).toString(16).padStart(2, "0")}${hex}`;
const pss = (...parameters: string[]): string =>
  sized("30", `06092a864886f70d01010a${sized("30", parameters.join(""))}`);

test("RSA-PSS parameters decide, and their SHA-1 defaults do not verify", () => {
  const whole = { kind: "rsa-pss", hash: "SHA-384", saltLength: 48 };
  const [hash, mask, salt, trailer] = [
    sized("a0", SHA384),
    sized("a1", MGF1_SHA384),
    sized("a2", "020130"),
    sized("a3", "020101"),
  ];
  assert.deepEqual(algorithm(pss(hash, mask, salt, trailer)), whole);
  assert.deepEqual(algorithm(pss(hash, mask, salt)), whole);
  const unsupported = { kind: "unsupported", oid: "1.2.840.113549.1.1.10" };
  for (const hex of [
    pss(mask, salt),
    pss(hash, salt),
    pss(hash, mask),
    pss(hash, sized("a1", MGF1_SHA256), salt),
    pss(hash, mask, salt, sized("a3", "020102")),
    "300b06092a864886f70d01010a",
  ])
    assert.deepEqual(algorithm(hex), unsupported, hex);
  assert.throws(() => algorithm(pss(mask, hash)), { code: "EVIDENCE_MALFORMED" });
});

test("SHA-1 and MD5 are unsupported whatever they sign", () => {
  for (const hex of ["300d06092a864886f70d0101050500", "300d06092a864886f70d0101040500", "300906072a8648ce3d0401"])
    assert.equal(algorithm(hex).kind, "unsupported");
  assert.deepEqual(algorithm("300d06092a864886f70d01010b0500"), { kind: "rsa-pkcs1", hash: "SHA-256" });
  assert.throws(
    () => algorithm("300c06082a8648ce3d0403030500"),
    { code: "EVIDENCE_MALFORMED" },
    "ECDSA has no parameters",
  );
});

test("nothing may follow in a field of an algorithm", () => {
  const NULL = "0500";
  const more = (tag: string, hex: string): string => sized(tag, hex + NULL);
  const hash = sized("a0", SHA384);
  const mask = sized("a1", MGF1_SHA384);
  const salt = sized("a2", "020130");
  const trailer = sized("a3", "020101");
  assert.equal(algorithm(pss(hash, mask, salt, trailer)).kind, "rsa-pss");
  for (const hex of [
    more("30", "06092a864886f70d01010b0500"),
    more("30", "06082a8648ce3d040303"),
    more("30", `06092a864886f70d01010a${sized("30", hash + mask + salt)}`),
    pss(hash, mask, salt, trailer, NULL),
    pss(more("a0", SHA384), mask, salt),
    pss(sized("a0", more("30", "06096086480165030402020500")), mask, salt),
    pss(hash, more("a1", MGF1_SHA384), salt),
    pss(hash, sized("a1", more("30", `06092a864886f70d010108${SHA384}`)), salt),
    pss(hash, mask, more("a2", "020130")),
    pss(hash, mask, salt, more("a3", "020101")),
  ])
    assert.throws(() => algorithm(hex), { code: "EVIDENCE_MALFORMED" }, hex);
});

test("an ECDSA signature is strict DER of two numbers that fit the curve", () => {
  const joined = ecdsaSignature(bytes("3007020200ff020101"), "P-256");
  assert.deepEqual([joined?.length, joined?.[31], joined?.[63]], [64, 0xff, 1]);
  const refused = [
    "3006020200ff0201",
    "3007020200ff02010100",
    "3006020100020181",
    `3026022100${"ff".repeat(32)}020101`.replace("022100", "022201ff").replace("3026", "3027"),
    "300802030000ff020101",
    "3009020200ff020101020101",
    "31060201010201ff",
  ];
  for (const hex of refused) assert.equal(ecdsaSignature(bytes(hex), "P-256"), undefined, hex);
});

async function rsaKeys(name: "RSASSA-PKCS1-v1_5", hash: string): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(
    { name, hash, modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) },
    true,
    ["sign", "verify"],
  );
}

async function verifies(root: Issued, signed = root): Promise<boolean> {
  return verifySignedBy(webcrypto, Certificate.parse(signed.der), Certificate.parse(root.der).spki);
}

test("each supported algorithm verifies under its own key alone", async () => {
  const p256 = await issue({ subject: "CN=p256", keys: await ecKeys("P-256") });
  const p384 = await issue({ subject: "CN=p384" });
  const rsa256 = await issue({
    subject: "CN=rsa",
    keys: await rsaKeys("RSASSA-PKCS1-v1_5", "SHA-256"),
    algorithm: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
  });
  const rsa384 = await issue({
    subject: "CN=rsa",
    keys: await rsaKeys("RSASSA-PKCS1-v1_5", "SHA-384"),
    algorithm: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-384" },
  });
  const all = [p256, p384, rsa256, rsa384];
  for (const signed of all) for (const root of all) assert.equal(await verifies(root, signed), signed === root);
});

test("RSA with SHA-1 does not verify, though the signature is right", async () => {
  const weak = await issue({
    subject: "CN=weak",
    keys: await rsaKeys("RSASSA-PKCS1-v1_5", "SHA-1"),
    algorithm: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-1" },
  });
  assert.equal(await verifies(weak), false);
});

test("a key is RSA, on one of two curves, or unsupported", async () => {
  const spki = async (keys: webcrypto.CryptoKeyPair): Promise<Uint8Array> =>
    new Uint8Array(await webcrypto.subtle.exportKey("spki", keys.publicKey));
  assert.deepEqual(keyKind(await spki(await ecKeys("P-256"))), { kind: "ec", curve: "P-256" });
  assert.deepEqual(keyKind(await spki(await ecKeys("P-384"))), { kind: "ec", curve: "P-384" });
  assert.deepEqual(keyKind(await spki(await rsaKeys("RSASSA-PKCS1-v1_5", "SHA-256"))), { kind: "rsa" });
  const p521 = await webcrypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-521" }, true, ["sign", "verify"]);
  assert.deepEqual(keyKind(await spki(p521)), { kind: "unsupported" });
  // An EC key that names no curve, and a key of another algorithm.
  for (const hex of ["300b300906072a8648ce3d0201", "3007300506032b6570"])
    assert.deepEqual(keyKind(bytes(hex)), { kind: "unsupported" });
});

test("a key that cannot be read verifies nothing", async () => {
  const { der } = await issue({ subject: "CN=root" });
  for (const spki of [new Uint8Array(), bytes("3000"), bytes("300806062a8648ce3d02"), new Uint8Array(200)])
    assert.equal(await verifySignedBy(webcrypto, Certificate.parse(der), spki), false);
});
