import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { latin1, EMPTY } from "../bytes.ts";
import { aesGcmSeal, randomBytes } from "../platform.ts";
import { openMessage, sealMessage } from "./message.ts";
import { AeadSequence } from "./sequence.ts";
import { SUITES, suiteOf } from "./suite.ts";

for (const suite of SUITES)
  test(`one message of ${suite.kem.name} opens under its binding alone`, () => {
    const key = suite.kem.keyOf(randomBytes(32));
    const binding = { info: latin1("info"), aad: latin1("aad") };
    const sealed = sealMessage({ suite, publicKey: key.publicKey }, binding, latin1("text"));
    assert.deepEqual(openMessage({ suite, key }, binding, sealed), latin1("text"));
    assert.equal(openMessage({ suite, key }, { ...binding, info: EMPTY }, sealed), null);
    assert.equal(openMessage({ suite, key }, { ...binding, aad: EMPTY }, sealed), null);
    assert.equal(openMessage({ suite, key }, binding, { ...sealed, encapsulated: EMPTY }), null);
    assert.equal(openMessage({ suite, key }, binding, { ...sealed, ciphertext: EMPTY }), null);
  });

test("the suites stand in the order of preference, with their numbers", () => {
  assert.deepEqual(
    SUITES.map(({ kem, aeadId, keyBytes }) => [kem.id, aeadId, keyBytes]),
    [
      [0x647a, 2, 32],
      [0x20, 2, 32],
    ],
  );
});

test("a mechanism has one suite", () => {
  for (const suite of SUITES) assert.equal(suiteOf(suite.kem), suite);
});

test("each message has a nonce of its own, up to the last number", () => {
  const [key, nonce] = [randomBytes(32), randomBytes(12)];
  const last = new AeadSequence(key, nonce, Number.MAX_SAFE_INTEGER - 1);
  const sealed = last.seal(EMPTY, EMPTY);
  assert.throws(() => last.seal(EMPTY, EMPTY), { code: "USAGE" });
  assert.throws(() => last.open(sealed, EMPTY), { code: "USAGE" });
  const tags = new Set<string>();
  const sequence = new AeadSequence(key, nonce);
  for (let number = 0; number < 300; number += 1) tags.add(Buffer.from(sequence.seal(EMPTY, EMPTY)).toString("hex"));
  assert.equal(tags.size, 300);
  assert.ok(!tags.has(Buffer.from(sealed).toString("hex")));
});

test("a nonce is the base nonce with the number in its last eight bytes (RFC 9180 section 5.2)", () => {
  const key = randomBytes(32);
  const number = fc.oneof(fc.maxSafeNat(), fc.constantFrom(2 ** 31, 2 ** 32 - 1, 2 ** 32));
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 12, maxLength: 12 }), number, (base, one) => {
      const last = one === Number.MAX_SAFE_INTEGER ? one - 1 : one;
      const low = BigInt(`0x${Buffer.from(base).toString("hex")}`) ^ BigInt(last);
      const nonce = Buffer.from(low.toString(16).padStart(24, "0"), "hex");
      const sealed = new AeadSequence(key, base, last).seal(latin1("text"), EMPTY);
      assert.deepEqual(sealed, aesGcmSeal({ key, nonce, aad: EMPTY }, latin1("text")));
    }),
  );
});
