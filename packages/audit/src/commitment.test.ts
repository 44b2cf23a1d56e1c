import assert from "node:assert/strict";
import { createSecretKey, hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fromHex, toHex } from "@cmcp/boundary";
import * as fc from "fast-check";
import { beginCommitment, commitmentTo, saltOf } from "./commitment.ts";
import { COMMITTED_FIELDS, SALT_BYTES } from "./committed-field.ts";

const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
const field = fc.constantFrom(...COMMITTED_FIELDS);

/** HKDF-Expand of RFC 5869 section 2.3, for output of one hash, in another form than the product's. */
function expand(prk: Uint8Array, info: Uint8Array): Uint8Array {
  const pad = (byte: number): Uint8Array => Uint8Array.from({ length: 64 }, (_, index) => (prk[index] ?? 0) ^ byte);
  const inner = hash("sha256", Buffer.concat([pad(0x36), info, Uint8Array.of(1)]), "buffer");
  return hash("sha256", Buffer.concat([pad(0x5c), inner]), "buffer");
}

/** RFC 5869 appendices A.1 and A.3, SHA-256. */
const VECTORS = [
  {
    prk: "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
    info: "f0f1f2f3f4f5f6f7f8f9",
    okm: "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf",
  },
  {
    prk: "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
    info: "",
    okm: "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d",
  },
] as const;

test("what salts are held to is HKDF-Expand of RFC 5869", () => {
  for (const { prk, info, okm } of VECTORS)
    assert.equal(toHex(expand(fromHex(prk) ?? assert.fail(), fromHex(info) ?? assert.fail())), okm);
});

test("a salt is HKDF-Expand of the session's key over call and field, and a commitment the hash of prefix, salt and text", () => {
  fc.assert(
    fc.property(bytes(32), fc.uuid(), field, fc.string(), (key, call, of, text) => {
      const salt = saltOf(createSecretKey(key), call, of);
      assert.equal(salt.length, SALT_BYTES);
      assert.deepEqual(salt, expand(key, Buffer.from(call + of)));
      const input = Buffer.concat([Buffer.from(`cmcp-commit-v1|${of}|`), salt, Buffer.from(text)]);
      assert.equal(commitmentTo(of, salt, text), `sha256:${hash("sha256", input)}`);
      assert.equal(`sha256:${beginCommitment(of, salt).update(text).digest("hex")}`, commitmentTo(of, salt, text));
    }),
  );
});

test("the example of the specification follows from what it says", () => {
  const key = createSecretKey(Uint8Array.from({ length: 32 }, (_, index) => index));
  const call = "7b0f3c52-9a55-4f0e-8f6e-3d2f1f1a9c03";
  const page = readFileSync(new URL("../../claim/SPEC.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| `(\w+)` \| `([{[].*[}\]])` \| `([0-9a-f]{64})` \| `(sha256:\w{64})` \|$/gm)];
  assert.equal(rows.length, 2);
  for (const [, name, text = "", salt, commitment] of rows) {
    const of = COMMITTED_FIELDS.find((one) => one === name);
    assert.ok(of !== undefined);
    assert.equal(toHex(saltOf(key, call, of)), salt);
    assert.equal(commitmentTo(of, saltOf(key, call, of), text), commitment);
  }
});

test("another key, call or field is another salt, and another text, salt or field another commitment", () => {
  fc.assert(
    fc.property(bytes(32), bytes(32), fc.uuid(), fc.uuid(), field, field, (first, second, call, call2, one, two) => {
      fc.pre(Buffer.compare(first, second) !== 0 && call !== call2 && one !== two);
      const [key, key2] = [createSecretKey(first), createSecretKey(second)];
      const salts = [saltOf(key, call, one), saltOf(key2, call, one), saltOf(key, call2, one), saltOf(key, call, two)];
      assert.equal(new Set(salts.map(toHex)).size, salts.length);
      const [salt = new Uint8Array(), other = new Uint8Array()] = salts;
      const commitments = [
        commitmentTo(one, salt, "a"),
        commitmentTo(one, salt, "b"),
        commitmentTo(one, other, "a"),
        commitmentTo(two, salt, "a"),
      ];
      assert.equal(new Set(commitments).size, commitments.length);
    }),
  );
});
