import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { toHex } from "@cmcp/boundary";
import { latin1 } from "../bytes.ts";
import { hasMlKem, mlKem768Key, randomBytes, requireMlKem, succeeds } from "../platform.ts";
import { hex, vectors } from "../testing/vectors.ts";
import { X25519 } from "./x25519.ts";
import { X_WING } from "./x-wing.ts";

interface XWingVectors {
  readonly cases: readonly { readonly sk: string; readonly pk: string; readonly ct: string; readonly ss: string }[];
}

for (const [index, { sk, pk, ct, ss }] of (vectors("x-wing") as XWingVectors).cases.entries())
  test(`X-Wing draft, vector ${index + 1}: key and decapsulation`, () => {
    const key = X_WING.keyOf(hex(sk));
    assert.equal(toHex(key.publicKey), pk);
    assert.equal(toHex(key.decapsulate(hex(ct)) ?? assert.fail()), ss);
  });

for (const kem of [X_WING, X25519]) {
  const key = kem.keyOf(randomBytes(32));

  test(`${kem.name}: the lengths are those of its name`, () => {
    const { encapsulated, secret } = kem.encapsulate(key.publicKey);
    assert.deepEqual(
      [key.publicKey.length, encapsulated.length, secret.length],
      [kem.publicKeyBytes, kem.encapsulatedBytes, 32],
    );
    assert.deepEqual([kem.publicKeyBytes, kem.encapsulatedBytes], kem === X_WING ? [1216, 1120] : [32, 32]);
    assert.equal(key.kem, kem);
  });

  test(`${kem.name}: each secret is a fresh one, and the holder has the same`, () => {
    const [one, two] = [kem.encapsulate(key.publicKey), kem.encapsulate(key.publicKey)];
    assert.notDeepEqual(one.secret, two.secret);
    assert.notDeepEqual(one.encapsulated, two.encapsulated);
    assert.deepEqual(key.decapsulate(one.encapsulated), one.secret);
    assert.deepEqual(key.decapsulate(two.encapsulated), two.secret);
  });

  test(`${kem.name}: a private key of 32 bytes, and a public key of its length`, () => {
    for (const length of [0, 31, 33, 64])
      assert.throws(() => kem.keyOf(new Uint8Array(length)), { code: "USAGE", message: /has 32 bytes, not / });
    for (const length of [0, kem.publicKeyBytes - 1, kem.publicKeyBytes + 1])
      assert.throws(() => kem.encapsulate(new Uint8Array(length)), { code: "USAGE" });
  });

  test(`${kem.name}: a curve point of low order gives no secret, whoever names it`, () => {
    // RFC 7748 section 6.1: with these the result is all zeros.
    for (const first of [0, 1]) {
      const point = new Uint8Array(32).with(0, first);
      const theirs = key.publicKey.slice();
      theirs.set(point, theirs.length - 32);
      assert.throws(() => kem.encapsulate(theirs), { code: "USAGE" });
      const { encapsulated } = kem.encapsulate(key.publicKey);
      const changed = encapsulated.slice();
      changed.set(point, changed.length - 32);
      assert.equal(key.decapsulate(changed), null);
    }
  });
}

test("X-Wing: both of its secrets, and the sender's and recipient's curve keys, are in the secret", () => {
  const key = X_WING.keyOf(new Uint8Array(32).fill(7));
  const { encapsulated, secret } = X_WING.encapsulate(key.publicKey, new Uint8Array(32).fill(9));
  for (const at of [0, 1087, 1088, 1119]) {
    const changed = encapsulated.with(at, (encapsulated[at] ?? 0) ^ 1);
    assert.notDeepEqual(key.decapsulate(changed), secret, String(at));
  }
  assert.deepEqual(key.decapsulate(encapsulated), secret);
});

test("X-Wing: a public key of another length is named as that", () => {
  for (const length of [1_215, 1_217])
    assert.throws(() => X_WING.encapsulate(new Uint8Array(length)), { message: /has 1216 bytes, not 121[57]$/ });
});

test("X-Wing: a lattice key with coefficients that are not reduced is refused", () => {
  const { publicKey } = X_WING.keyOf(randomBytes(32));
  assert.throws(() => X_WING.encapsulate(Uint8Array.from(publicKey).fill(0xff, 0, 1152)), { code: "USAGE" });
});

test("a runtime without ML-KEM is named as what is missing", () => {
  assert.ok(hasMlKem());
  assert.equal(
    succeeds(() => generateKeyPairSync("unknown" as "ed25519")),
    false,
  );
  assert.equal(
    succeeds(() => generateKeyPairSync("ed25519")),
    true,
  );
  requireMlKem(true);
  assert.throws(() => requireMlKem(false), { code: "SEAL_SUITE_UNSUPPORTED", message: /ML-KEM-768.*Node 24/ });
  assert.equal(mlKem768Key(new Uint8Array(64)).decapsulate(latin1("short")), null);
});
