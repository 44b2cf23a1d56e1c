import assert from "node:assert/strict";
import { sign, webcrypto } from "node:crypto";
import { test } from "node:test";
import { sampleKey, spkiOf } from "../tpm/testing/sample-quote.ts";
import { verifyP256 } from "./p256.ts";

const MESSAGE = Uint8Array.of(1, 2, 3);
const key = sampleKey("ecdsa");
const signature = sign("sha256", MESSAGE, { key: key.privateKey, dsaEncoding: "ieee-p1363" });
const point = Uint8Array.from(key.spki.subarray(-64));

test("a signature verifies under the key that made it, in either form", async () => {
  for (const given of [{ spki: key.spki }, { point }]) {
    assert.equal(await verifyP256(webcrypto, given, signature, MESSAGE), true);
    assert.equal(await verifyP256(webcrypto, given, signature, Uint8Array.of(1, 2, 4)), false);
    for (const other of [new Uint8Array(64), signature.subarray(1), new Uint8Array()])
      assert.equal(await verifyP256(webcrypto, given, other, MESSAGE), false);
  }
  assert.equal(await verifyP256(webcrypto, { spki: sampleKey("ecdsa").spki }, signature, MESSAGE), false);
});

test("nothing verifies under a point off the curve, or a key of another kind", async () => {
  const { privateKey } = sampleKey("ecdsa", "sha384", "P-384");
  for (const given of [
    { point: new Uint8Array(64) },
    { point: point.with(0, (point[0] ?? 0) ^ 1) },
    { point: point.subarray(1) },
    { spki: spkiOf(privateKey) },
    { spki: sampleKey("rsassa").spki },
    { spki: new Uint8Array() },
  ])
    assert.equal(await verifyP256(webcrypto, given, signature, MESSAGE), false);
});
