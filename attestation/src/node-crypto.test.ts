import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import { nodeCrypto } from "./node-crypto.ts";

test("digests are the platform's, of arrays, of parts of arrays and of buffers", async () => {
  const algorithm = fc.constantFrom<webcrypto.AlgorithmIdentifier>(
    "SHA-1",
    "SHA-256",
    "SHA-384",
    "SHA-512",
    { name: "SHA-256" },
    { name: "SHA-384" },
  );
  await fc.assert(
    fc.asyncProperty(algorithm, fc.uint8Array({ maxLength: 300 }), fc.nat(300), async (name, bytes, from) => {
      for (const data of [bytes, bytes.subarray(from), Uint8Array.from(bytes).buffer, new DataView(bytes.buffer)]) {
        assert.deepEqual(
          new Uint8Array(await nodeCrypto.subtle.digest(name, data)),
          new Uint8Array(await webcrypto.subtle.digest(name, data)),
        );
      }
    }),
  );
  await assert.rejects(nodeCrypto.subtle.digest("MD5", new Uint8Array()));
});
