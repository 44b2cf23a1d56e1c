import assert from "node:assert/strict";
import { test } from "node:test";
import { toBase64 } from "@cmcp/boundary";
import * as fc from "fast-check";
import { formatVerifierKey, instanceKeyName, isKeyName, parseVerifierKey, SIGNATURE_TYPE } from "./key.ts";
import { readVerifierKey, verifierKey } from "./verify.ts";

/** The example of C2SP signed-note. */
const PUBLISHED = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

const refused = (text: string): void =>
  assert.throws(() => readVerifierKey(text), { code: "VERIFIER_KEY_INVALID" }, text);

test("the published key reads, and is written as it was", () => {
  const key = readVerifierKey(PUBLISHED);
  assert.equal(key.name, "example.com/foo");
  assert.equal(key.id, 0x530d903a);
  assert.equal(key.type, SIGNATURE_TYPE.ed25519);
  assert.equal(formatVerifierKey(key), PUBLISHED);
});

test("a key of any name and type reads as it was written, and its id is its own", () => {
  const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 }).filter(isKeyName);
  const type = fc.constantFrom(SIGNATURE_TYPE.ed25519, SIGNATURE_TYPE.cosignature);
  fc.assert(
    fc.property(name, type, fc.uint8Array({ minLength: 32, maxLength: 32 }), (of, kind, publicKey) => {
      const key = verifierKey(of, kind, publicKey);
      assert.deepEqual(readVerifierKey(formatVerifierKey(key)), { ...key, publicKey: Uint8Array.from(publicKey) });
      refused(formatVerifierKey({ ...key, id: key.id ^ 1 }));
      refused(formatVerifierKey({ ...key, name: `${key.name}x` }));
    }),
  );
});

test("a key of another form is refused", () => {
  const key = readVerifierKey(PUBLISHED);
  const written = (bytes: readonly number[]): string => `example.com/foo+530d903a+${toBase64(Uint8Array.from(bytes))}`;
  for (const text of [
    "",
    "example.com/foo",
    "example.com/foo+530d903a",
    "example.com/foo+530d903a+",
    PUBLISHED.replace("530d903a", "530D903A"),
    PUBLISHED.replace("530d903a", "0530d903a"),
    PUBLISHED.replace("530d903a", "30d903a"),
    PUBLISHED.replace("530d903a", "530d90"),
    PUBLISHED.replace("example.com/foo", ""),
    PUBLISHED.replace("example.com/foo", "example com"),
    `${PUBLISHED}=`,
    `${PUBLISHED}\n`,
    ` ${PUBLISHED}`,
    `${PUBLISHED}+`,
    written([1, ...key.publicKey.subarray(1)]),
    written([1, ...key.publicKey, 0]),
    written([2, ...key.publicKey]),
    written([6, ...key.publicKey]),
    "a".repeat(100_000),
  ])
    refused(text);
});

test("a key is read only under a name that keys can have, before its id is compared", () => {
  for (const name of ["", "a b", "a\u00a0b", "a".repeat(256)])
    assert.throws(() => parseVerifierKey(PUBLISHED.replace("example.com/foo", name)), { code: "VERIFIER_KEY_INVALID" });
});

test("any text is a key or VERIFIER_KEY_INVALID", () => {
  const parts = fc.array(
    fc.constantFrom("example.com/foo", "+", "530d903a", "AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "é", " "),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(
      fc.oneof(
        parts.map((all) => all.join("")),
        fc.string({ unit: "binary" }),
      ),
      (text) => {
        try {
          assert.equal(formatVerifierKey(parseVerifierKey(text)), text);
        } catch (thrown) {
          assert.equal((thrown as { code?: unknown }).code, "VERIFIER_KEY_INVALID");
        }
      },
    ),
  );
});

test("a name has no space of any script, no plus, no control character, and 1 to 255 bytes", () => {
  for (const name of ["a", "example.com/log/0", "Größe", "a".repeat(255), "é".repeat(127)])
    assert.ok(isKeyName(name), name);
  for (const name of [
    "",
    "a b",
    "a+b",
    "a\u00a0b",
    "a\u0085b",
    "a\u3000b",
    "a\u2028b",
    "a\nb",
    "a\u0000",
    "a\u007f",
    "a\ud800",
    "a".repeat(256),
    "é".repeat(128),
  ])
    assert.ok(!isKeyName(name), JSON.stringify(name));
  assert.throws(() => verifierKey("a b", SIGNATURE_TYPE.ed25519, new Uint8Array(32)), { code: "VERIFIER_KEY_INVALID" });
});

test("the key of an instance is named by its thumbprint", () => {
  const name = instanceKeyName("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
  assert.equal(name, "cmcp-instance-NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
  assert.ok(isKeyName(name));
});
