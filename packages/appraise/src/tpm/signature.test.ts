import assert from "node:assert/strict";
import { sign, webcrypto } from "node:crypto";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import * as fc from "fast-check";
import { parseAttestationKey } from "./public-key.ts";
import { parseSignature, verifySignature } from "./signature.ts";
import { plainSignature, sampleKey, sampleSignature, sized, u16, type SampleKey } from "./testing/sample-quote.ts";

const MESSAGE = Buffer.from("what the TPM signed");
const DIGEST_BYTES = { sha256: 32, sha384: 48, sha512: 64 } as const;

async function verifies(key: SampleKey, signature: Uint8Array, message: Uint8Array = MESSAGE): Promise<boolean> {
  const { key: parsed } = parseAttestationKey(key.spki);
  return await verifySignature(webcrypto, parsed, parseSignature(signature, parsed, DIGEST_BYTES[key.hash]), message);
}

test("every scheme verifies, as TPMT_SIGNATURE and plain", async () => {
  for (const key of [
    sampleKey("rsassa"),
    sampleKey("rsassa", "sha512"),
    sampleKey("rsapss"),
    sampleKey("rsapss", "sha384"),
    sampleKey("ecdsa"),
    sampleKey("ecdsa", "sha384", "P-384"),
  ]) {
    for (const signature of [sampleSignature(key, MESSAGE), plainSignature(key, MESSAGE)]) {
      assert.ok(await verifies(key, signature), `${key.scheme} ${key.hash}`);
      assert.ok(!(await verifies(key, signature, Buffer.from("something else"))));
    }
  }
});

test("RSAPSS verifies with a salt as long as the digest or as the key allows, and no other", async () => {
  const key = sampleKey("rsapss");
  for (const [salt, holds] of [
    [32, true],
    [222, true],
    [0, false],
    [20, false],
  ] as const)
    assert.equal(await verifies(key, sampleSignature(key, MESSAGE, salt)), holds, `${salt}`);
});

test("ECDSA verifies as DER, and with numbers that lost their leading zeros", async () => {
  const key = sampleKey("ecdsa");
  assert.ok(await verifies(key, sign("sha256", MESSAGE, key.privateKey)));
  for (let tries = 0; tries < 4096; tries += 1) {
    const plain = plainSignature(key, MESSAGE);
    if (plain[0] !== 0) continue;
    assert.ok(
      await verifies(
        key,
        Buffer.concat([u16(0x0018), u16(0x000b), sized(plain.subarray(1, 32)), sized(plain.subarray(32))]),
      ),
    );
    return;
  }
  assert.fail("no number began with a zero");
});

test("SHA-1 never verifies", () => {
  const key = sampleKey("rsassa");
  const { key: parsed } = parseAttestationKey(key.spki);
  const signature = Buffer.concat([u16(0x0014), u16(0x0004), sized(sign("sha1", MESSAGE, key.privateKey))]);
  assert.throws(() => parseSignature(signature, parsed, 20), { code: "EVIDENCE_POLICY_VIOLATION", message: /sha1/ });
  assert.throws(() => parseSignature(sign("sha1", MESSAGE, key.privateKey), parsed, 20), {
    code: "EVIDENCE_POLICY_VIOLATION",
  });
});

test("a signature of another form or kind of key is refused", () => {
  const rsa = parseAttestationKey(sampleKey("rsassa").spki).key;
  const ec = parseAttestationKey(sampleKey("ecdsa").spki).key;
  const refused = (bytes: Uint8Array, key: typeof rsa): void =>
    assert.throws(() => parseSignature(bytes, key, 32), { code: "EVIDENCE_MALFORMED" });
  refused(Buffer.concat([u16(0x0018), u16(0x000b), sized(Buffer.alloc(32)), sized(Buffer.alloc(32))]), rsa);
  refused(Buffer.concat([u16(0x0014), u16(0x000b), sized(Buffer.alloc(256))]), ec);
  // The numbers of an ECDSA signature under the name of another scheme.
  const numbers = sampleSignature(sampleKey("ecdsa"), MESSAGE).subarray(4);
  refused(Buffer.concat([u16(0x0014), u16(0x000b), numbers]), ec);
  refused(Buffer.concat([u16(0x001a), u16(0x000b), sized(Buffer.alloc(32)), sized(Buffer.alloc(32))]), ec);
  refused(Buffer.concat([u16(0x0018), u16(0x000b), sized(Buffer.alloc(33)), sized(Buffer.alloc(32))]), ec);
  refused(
    Buffer.concat([u16(0x0018), u16(0x000b), sized(Buffer.alloc(32)), sized(Buffer.alloc(32)), Buffer.of(0)]),
    ec,
  );
  refused(new Uint8Array(601), rsa);
  refused(new Uint8Array(), rsa);
});

test("random signatures are refused or do not verify", async () => {
  for (const key of [sampleKey("rsassa"), sampleKey("ecdsa")]) {
    const genuine = sampleSignature(key, MESSAGE);
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.nat(8 * genuine.length - 1)), async (options) => {
        const bytes = typeof options === "number" ? Uint8Array.from(genuine) : options;
        if (typeof options === "number") bytes[options >> 3] = (bytes[options >> 3] ?? 0) ^ (1 << (options & 7));
        try {
          assert.ok(!(await verifies(key, bytes)));
        } catch (thrown) {
          assert.ok(thrown instanceof CmcpError, String(thrown));
        }
      }),
      { numRuns: 100 },
    );
  }
});
