import { createHash, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { toBase64Url } from "@cmcp/boundary";
import { randomBytes, SUITES, type GatewayKey, type OwnKey, type Suite } from "@cmcp/seal";
import type { ProvisionHeader, ProvisioningKey } from "../statement.ts";

/** A new provisioning key, with the private part. */
export function newProvisioningKey(): ProvisioningKey & { readonly privateKey: KeyObject } {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const { x = "" } = publicKey.export({ format: "jwk" });
  return { privateKey, publicKey: x, sign: (message) => sign(null, message, privateKey) };
}

/** A key of an instance, both sides. */
export interface InstanceKey {
  readonly recipient: GatewayKey;
  readonly keyOf: (id: number) => OwnKey | null;
}

/** A new key of a suite, under an id. */
export function newInstanceKey(suite: Suite | undefined = SUITES[0], own = 7): InstanceKey {
  if (suite === undefined) throw new Error("there is no suite");
  const key = suite.kem.keyOf(randomBytes(32));
  return {
    recipient: { id: own, suite, publicKey: key.publicKey },
    keyOf: (id) => (id === own ? { suite, key } : null),
  };
}

/** What a sound statement says, but for some of it. */
export function headerOf(changes: Partial<ProvisionHeader> = {}): ProvisionHeader {
  return {
    launch_digest: `sha256:${"1".repeat(64)}`,
    instance: toBase64Url(createHash("sha256").update("an instance").digest()),
    sequence: 1,
    not_before: 1_000,
    expires: 2_000,
    ...changes,
  };
}
