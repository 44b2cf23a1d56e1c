import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, verify, type KeyObject } from "node:crypto";
import { test } from "node:test";
import { z } from "zod";
import { hex, vectorFile } from "../testing/vectors.ts";
import { idAuthentication, idBlockBytes, keyBytes, keyDigest, type IdBlock } from "./id-block.ts";

const GOLDEN = z
  .object({
    measurement: z.string(),
    policy: z.string(),
    guest_svn: z.number(),
    id_key: z.string(),
    author_key: z.string(),
    id_block: z.base64(),
    id_auth: z.base64(),
    id_key_digest: z.base64(),
    author_key_digest: z.base64(),
  })
  .parse(JSON.parse(vectorFile("id-block.json").toString()));
const BLOCK: IdBlock = {
  measurement: hex(GOLDEN.measurement),
  familyId: new Uint8Array(16),
  imageId: new Uint8Array(16),
  guestSvn: GOLDEN.guest_svn,
  policy: BigInt(GOLDEN.policy),
};
const bytes = (base64: string): Buffer => Buffer.from(base64, "base64");

/** The signature at `at`, as the firmware reads it: two numbers of 72 bytes, little endian. */
function signatureHolds(information: Buffer, at: number, data: Uint8Array, key: KeyObject): boolean {
  const number = (from: number): Uint8Array => information.subarray(from, from + 48).toReversed();
  assert.ok(
    information.subarray(at + 48, at + 72).every((byte) => byte === 0) &&
      information.subarray(at + 144, at + 512).every((byte) => byte === 0),
  );
  return verify("sha384", data, { key, dsaEncoding: "ieee-p1363" }, Buffer.concat([number(at), number(at + 72)]));
}

test("block, keys and key digests are those of the public tool, and its signatures are read the same way", () => {
  const [idKey, authorKey] = [createPublicKey(GOLDEN.id_key), createPublicKey(GOLDEN.author_key)];
  const block = idBlockBytes(BLOCK);
  assert.deepEqual(Buffer.from(block), bytes(GOLDEN.id_block));
  assert.deepEqual(
    [keyDigest(idKey), keyDigest(authorKey)],
    [bytes(GOLDEN.id_key_digest).toString("hex"), bytes(GOLDEN.author_key_digest).toString("hex")],
  );
  const information = bytes(GOLDEN.id_auth);
  assert.deepEqual(information.subarray(0x240, 0x240 + 0x404), Buffer.from(keyBytes(idKey)));
  assert.deepEqual(information.subarray(0x880, 0x880 + 0x404), Buffer.from(keyBytes(authorKey)));
  assert.ok(
    signatureHolds(information, 0x40, block, idKey) && signatureHolds(information, 0x680, keyBytes(idKey), authorKey),
  );
});

test("our authentication information has the same form, with and without an author", () => {
  const [idKey, authorKey] = [
    generateKeyPairSync("ec", { namedCurve: "P-384" }),
    generateKeyPairSync("ec", { namedCurve: "P-384" }),
  ];
  const block = idBlockBytes({ ...BLOCK, guestSvn: 7 });
  for (const author of [authorKey.privateKey, undefined]) {
    const information = Buffer.from(idAuthentication(block, idKey.privateKey, author));
    assert.deepEqual(
      [information.length, information.readUInt32LE(0), information.readUInt32LE(4)],
      [4096, 1, author === undefined ? 0 : 1],
    );
    assert.deepEqual(information.subarray(0x240, 0x644), Buffer.from(keyBytes(idKey.publicKey)));
    assert.ok(signatureHolds(information, 0x40, block, idKey.publicKey));
    if (author === undefined) assert.ok(information.subarray(0x644).every((byte) => byte === 0));
    else assert.ok(signatureHolds(information, 0x680, keyBytes(idKey.publicKey), authorKey.publicKey));
  }
});

test("fields lie where the firmware reads them", () => {
  const block = Buffer.from(
    idBlockBytes({
      measurement: new Uint8Array(48).fill(1),
      familyId: new Uint8Array(16).fill(2),
      imageId: new Uint8Array(16).fill(3),
      guestSvn: 0x0403_0201,
      policy: 0x0807_0605_0403_0201n,
    }),
  );
  assert.equal(
    block.toString("hex"),
    `${"01".repeat(48)}${"02".repeat(16)}${"03".repeat(16)}01000000010203040102030405060708`,
  );
});

test("what does not fit is refused", () => {
  const wrong: readonly Partial<IdBlock>[] = [
    { measurement: new Uint8Array(32) },
    { familyId: new Uint8Array(15) },
    { imageId: new Uint8Array(17) },
    { guestSvn: -1 },
    { guestSvn: 2 ** 32 },
    { guestSvn: 0.5 },
    { policy: -1n },
    { policy: 1n << 64n },
  ];
  for (const change of wrong)
    assert.throws(() => idBlockBytes({ ...BLOCK, ...change }), { code: "MEASURE_INPUT_INVALID" });
  for (const key of [generateKeyPairSync("ec", { namedCurve: "P-256" }), generateKeyPairSync("ed25519")]) {
    assert.throws(() => keyDigest(key.publicKey), { code: "MEASURE_INPUT_INVALID", message: /P-384/ });
    assert.throws(() => idAuthentication(new Uint8Array(96), key.privateKey, undefined), {
      code: "MEASURE_INPUT_INVALID",
    });
  }
});
