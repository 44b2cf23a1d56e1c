import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { canonicalText } from "@cmcp/boundary";
import {
  instanceBindingInput,
  joinReportData,
  sessionBindingInput,
  thumbprintInput,
  type InstanceBinding,
} from "./binding.ts";

const HASH = `sha256:${"a".repeat(64)}`;
const BINDING: InstanceBinding = {
  purpose: "instance-attestation",
  nonce: "n",
  keys: { signing: "AA" },
  policy_hash: HASH,
  catalog_hash: HASH,
  enforcement_mode: "enforcing",
  launch_digest: HASH,
};

test("a key's thumbprint is that of RFC 8037, whatever else its JWK has", () => {
  const jwk = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", kid: "k" } as const;
  assert.equal(
    createHash("sha256").update(thumbprintInput(jwk)).digest("base64url"),
    "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
  );
});

test("a session is bound by the 32 bytes of its chain root, and by nothing of another form", () => {
  assert.deepEqual(sessionBindingInput("0f".repeat(32)), new Uint8Array(32).fill(0x0f));
  for (const root of ["", "0f".repeat(31), "0f".repeat(33), `${"0f".repeat(32)}0`, "zz".repeat(32)])
    assert.throws(() => sessionBindingInput(root), { code: "INTERNAL" }, root);
});

test("an instance is bound by what it answers for, under a nonce of 1 to 128 characters", () => {
  const text = (binding: InstanceBinding): string => Buffer.from(instanceBindingInput(binding)).toString();
  assert.equal(text(BINDING), canonicalText({ ...BINDING }));
  assert.equal(text({ ...BINDING, other: 1 } as InstanceBinding), text(BINDING));
  for (const nonce of ["n", "n".repeat(128)]) assert.ok(text({ ...BINDING, nonce }).includes(`"${nonce}"`));
  for (const nonce of ["", "n".repeat(129)])
    assert.throws(() => instanceBindingInput({ ...BINDING, nonce }), { code: "INTERNAL" });
});

test("report data is made of two halves of 32 bytes, the thumbprint first", () => {
  const half = (value: number, length = 32): Uint8Array => new Uint8Array(length).fill(value);
  assert.deepEqual(Buffer.from(joinReportData(half(1), half(2))), Buffer.concat([half(1), half(2)]));
  for (const [left, right] of [
    [half(1, 31), half(2)],
    [half(1), half(2, 31)],
    [half(1, 33), half(2)],
    [half(1), half(2, 33)],
  ] as const)
    assert.throws(() => joinReportData(left, right), { code: "INTERNAL" });
});
