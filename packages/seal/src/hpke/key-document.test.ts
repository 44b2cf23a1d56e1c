import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { toHex } from "@cmcp/boundary";
import { randomBytes } from "../platform.ts";
import { vectors } from "../testing/vectors.ts";
import { keyFromPem, privateKeyPem, publicKeyInfo } from "./key-document.ts";
import { SUITES } from "./suite.ts";
import { X25519 } from "./x25519.ts";
import { X_WING } from "./x-wing.ts";

const { x509 } = vectors("x-wing") as { readonly x509: { readonly private_pem: string; readonly public_pem: string } };

test("X-Wing draft, X.509: the private key, and the public key that follows from it", () => {
  const privateKey = Uint8Array.from({ length: 32 }, (_, at) => at);
  assert.equal(privateKeyPem(X_WING, privateKey), x509.private_pem);
  const key = keyFromPem(x509.private_pem) ?? assert.fail();
  assert.equal(key.kem, X_WING);
  const body = x509.public_pem.split("\n").filter((line) => line !== "" && !line.startsWith("-"));
  assert.equal(Buffer.from(publicKeyInfo(X_WING, key.publicKey)).toString("base64"), body.join(""));
});

test("the platform reads our documents of X25519, and we read its", () => {
  const privateKey = randomBytes(32);
  const { publicKey } = X25519.keyOf(privateKey);
  const theirs = createPublicKey(createPrivateKey(privateKeyPem(X25519, privateKey)));
  assert.deepEqual(new Uint8Array(theirs.export({ type: "spki", format: "der" })), publicKeyInfo(X25519, publicKey));
  const pair = generateKeyPairSync("x25519");
  const read = keyFromPem(pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString()) ?? assert.fail();
  assert.equal(toHex(read.publicKey), toHex(pair.publicKey.export({ type: "spki", format: "der" }).subarray(12)));
});

for (const { kem } of SUITES)
  test(`${kem.name}: a document is read as it was written, and no other is`, () => {
    const privateKey = randomBytes(32);
    const pem = privateKeyPem(kem, privateKey);
    const { publicKey } = kem.keyOf(privateKey);
    for (const text of [pem, pem.trim(), `\n${pem}`, pem.replaceAll("\n", "\r\n")])
      assert.deepEqual(keyFromPem(text)?.publicKey, publicKey);
    const short = privateKeyPem(kem, privateKey.subarray(1));
    const other = privateKeyPem({ ...kem, pkcs8: kem.pkcs8.with(5, 1) }, privateKey);
    const label = pem.replaceAll("PRIVATE", "PUBLIC");
    for (const text of ["", "-----BEGIN PRIVATE KEY-----", short, other, label, `${pem}x`, pem.replace("M", "_")])
      assert.equal(keyFromPem(text), null);
    assert.equal(keyFromPem(pem.replace("-----END PRIVATE KEY-----", "")), null);
  });

test("a key of another kind is none of ours", () => {
  for (const type of ["ed25519", "ml-kem-768"] as const) {
    const { privateKey } = type === "ed25519" ? generateKeyPairSync(type) : generateKeyPairSync(type);
    assert.equal(keyFromPem(privateKey.export({ type: "pkcs8", format: "pem" }).toString()), null);
  }
});
