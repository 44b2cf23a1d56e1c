import assert from "node:assert/strict";
import { generateKeyPairSync, sign, webcrypto } from "node:crypto";
import { test } from "node:test";
import { toBase64Url } from "@cmcp/boundary";
import { verifyEd25519, type VerifierCrypto } from "./crypto.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const key = publicKey.export({ format: "jwk" }).x ?? "";
const message = Uint8Array.of(1, 2, 3);
const signature = toBase64Url(sign(null, message, privateKey));

test("no signature verifies under a key that the platform refuses to import", async () => {
  assert.equal(await verifyEd25519(webcrypto, key, signature, message), true);
  const refusing: VerifierCrypto = {
    subtle: {
      digest: (...input) => webcrypto.subtle.digest(...input),
      verify: async () => true,
      importKey: async () => {
        throw new DOMException("not a point of the curve", "DataError");
      },
    },
  };
  assert.equal(await verifyEd25519(refusing, key, signature, message), false);
});

test("a key or a signature of another length does not verify", async () => {
  for (const [otherKey, otherSignature] of [
    [key.slice(4), signature],
    [key, signature.slice(4)],
    ["", signature],
    [key, "!"],
  ] as const)
    assert.equal(await verifyEd25519(webcrypto, otherKey, otherSignature, message), false);
});
