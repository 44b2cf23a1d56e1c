import assert from "node:assert/strict";
import { createDecipheriv, hkdfSync } from "node:crypto";
import { test } from "node:test";
import type { PlatformSecret } from "./platform-secret.ts";
import { MAX_SEALED_BYTES, seal, unseal, type SealBinding } from "./seal.ts";

const SECRET = new Uint8Array(32).fill(7);
const BINDING: SealBinding = { launchDigest: new Uint8Array(32).fill(1), purpose: "keys" };
const platform = (recipe: Uint8Array, kind: PlatformSecret["kind"] = "tpm-policy-pcr"): PlatformSecret => ({
  kind,
  make: () => Promise.resolve({ secret: SECRET, recipe }),
  again: (found) => Promise.resolve(Buffer.from(found).equals(recipe) ? SECRET : null),
});

test("a blob is laid out as SPEC.md says, and opens for another implementation of it", async () => {
  for (const [kind, number] of [
    ["sev-snp-derived-key", 1],
    ["tpm-policy-pcr", 2],
  ] as const) {
    const recipe = new Uint8Array(300).fill(9);
    const value = Buffer.from("a signing key");
    const blob = Buffer.from(await seal(platform(recipe, kind), BINDING, value));
    assert.equal(blob.subarray(0, 12).toString("latin1"), `CMCPSEAL\x01${String.fromCharCode(number)}\x01\x2c`);
    assert.deepEqual(new Uint8Array(blob.subarray(12, 312)), recipe);
    assert.equal(blob.length, 12 + 300 + 12 + value.length + 16);
    const info = Buffer.concat([BINDING.launchDigest, Buffer.from("keys")]);
    const key = new Uint8Array(hkdfSync("sha256", SECRET, "cmcp-sealing-v1", info, 32));
    const decipher = createDecipheriv("aes-256-gcm", key, blob.subarray(312, 324))
      .setAAD(blob.subarray(0, 312))
      .setAuthTag(blob.subarray(-16));
    assert.deepEqual(Buffer.concat([decipher.update(blob.subarray(324, -16)), decipher.final()]), value);
  }
});

test("a value of no bytes and one of 4096 are sealed, each with a nonce of its own", async () => {
  const here = platform(new Uint8Array());
  assert.equal(MAX_SEALED_BYTES, 4096);
  for (const length of [0, 4096]) {
    const value = new Uint8Array(length).fill(3);
    const [one, other] = [await seal(here, BINDING, value), await seal(here, BINDING, value)];
    assert.notDeepEqual(one, other);
    assert.deepEqual(await unseal(here, BINDING, one), value);
  }
  await assert.rejects(seal(here, BINDING, new Uint8Array(4097)), { code: "INTERNAL" });
});

test("a blob of 8192 bytes is read and a longer one is not; one without its tag opens nothing", async () => {
  const room = 8192 - 12 - 12 - 16 - 4096;
  for (const [recipe, opens] of [
    [room, true],
    [room + 1, false],
  ] as const) {
    const here = platform(new Uint8Array(recipe));
    const value = new Uint8Array(4096);
    assert.deepEqual(await unseal(here, BINDING, await seal(here, BINDING, value)), opens ? value : null);
  }
  const here = platform(new Uint8Array());
  const blob = await seal(here, BINDING, new Uint8Array());
  assert.equal(await unseal(here, BINDING, blob.subarray(0, -1)), null);
  assert.equal(await unseal(platform(Uint8Array.of(1)), BINDING, blob), null, "the platform does not give its secret");
});
