import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { test } from "node:test";
import type { Sealing } from "@cmcp/attestation";
import { toBase64Url } from "@cmcp/boundary";
import { SigningKey } from "./signing-key.ts";
import { openIdentity } from "./identity.ts";

const LAUNCH = new Uint8Array(32).fill(1);
const none = (): Promise<string[]> => Promise.resolve([]);

/** A platform that gives each machine a secret of its own. */
const machine = (secret: number): Sealing => ({
  kind: "sev-snp-derived-key",
  make: () => Promise.resolve({ secret: new Uint8Array(32).fill(secret), recipe: new Uint8Array() }),
  again: () => Promise.resolve(new Uint8Array(32).fill(secret)),
});

test("an identity stays the same on the same machine with the same launch, and nowhere else", async () => {
  const first = await openIdentity(machine(1), LAUNCH, none);
  assert.ok(first !== null && !first.continued);
  const kept = (): Promise<string[]> =>
    Promise.resolve(["", "not base64!", toBase64Url(new Uint8Array(5)), toBase64Url(first.sealed)]);
  const again = await openIdentity(machine(1), LAUNCH, kept);
  assert.ok(again?.continued);
  assert.equal(again.publicKey, first.publicKey);
  assert.deepEqual(again.sealed, first.sealed);
  for (const [sealing, launch] of [
    [machine(2), LAUNCH],
    [machine(1), new Uint8Array(32)],
  ] as const) {
    const other = await openIdentity(sealing, launch, kept);
    assert.ok(other !== null && !other.continued);
    assert.notEqual(other.publicKey, first.publicKey);
  }
});

test("without sealing there is no identity, and the host is not asked", async () => {
  assert.equal(await openIdentity({ kind: "none", why: "test" }, LAUNCH, () => assert.fail("not asked")), null);
});

test("an identity signs an instance's key, for that purpose alone", async () => {
  const identity = await openIdentity(machine(1), LAUNCH, none);
  const { thumbprint } = new SigningKey();
  const key = createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x: identity?.publicKey ?? "" } });
  const signature = identity?.signInstanceKey(thumbprint) ?? new Uint8Array();
  assert.ok(verify(null, Buffer.concat([Buffer.from("cmcp-identity-v1|"), thumbprint]), key, signature));
  assert.ok(!verify(null, thumbprint, key, signature));
});
