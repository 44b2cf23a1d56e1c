import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import { toBase64Url, untrusted } from "@cmcp/boundary";
import { readAccess, verifyAccess } from "./access.ts";
import { answerTo, newApprover, newPasskey, requestOf } from "./testing/statements.ts";

const said = {
  instance: toBase64Url(new Uint8Array(32).fill(2)),
  launch_digest: `sha256:${"d".repeat(64)}`,
  random: toBase64Url(new Uint8Array(16).fill(5)),
  issued_at: 1_000,
};
const alice = newApprover("alice");

test("a statement of access reads back, and verifies for its approver alone", async () => {
  const signed = readAccess(untrusted(alice.access(said)));
  assert.deepEqual(signed.access, { format: "cmcp-approval-access/1", approver: "alice", ...said });
  await verifyAccess(webcrypto, alice.approver, signed);
  const invalid = { code: "APPROVAL_ACCESS_INVALID" } as const;
  await assert.rejects(verifyAccess(webcrypto, newApprover("alice").approver, signed), invalid);
  await assert.rejects(verifyAccess(webcrypto, { ...alice.approver, id: "bob" }, signed), invalid);
  const { passkey } = newPasskey("EdDSA");
  await assert.rejects(verifyAccess(webcrypto, { id: "alice", passkey }, signed), invalid);
  const later = { ...signed, access: { ...signed.access, issued_at: 1_001 } };
  await assert.rejects(verifyAccess(webcrypto, alice.approver, later), invalid);
});

for (const algorithm of ["ES256", "EdDSA"] as const)
  test(`a passkey signs a statement of access (${algorithm}), for its page, with its user verified`, async () => {
    const { passkey, access, assert: answered } = newPasskey(algorithm);
    const approver = { id: "alice", passkey };
    const mine = { ...said, approver: "alice" };
    await verifyAccess(webcrypto, approver, readAccess(untrusted(access(mine))));
    for (const [check, changes] of [
      ["origin", { client: { origin: "http://localhost:4001" } }],
      ["origin", { client: { crossOrigin: true } }],
      ["challenge", { client: { challenge: said.instance } }],
      ["type", { client: { type: "webauthn.create" } }],
      ["user-verified", { flags: 0x01 }],
      ["user-present", { flags: 0x04 }],
      ["rp-id", { rpId: "evil.example" }],
    ] as const)
      await assert.rejects(verifyAccess(webcrypto, approver, readAccess(untrusted(access(mine, changes)))), {
        code: "APPROVAL_ACCESS_INVALID",
        detail: { check },
      });
    const signed = readAccess(untrusted(access(mine)));
    const invalid = { code: "APPROVAL_ACCESS_INVALID" } as const;
    await assert.rejects(verifyAccess(webcrypto, { id: "bob", passkey }, signed), invalid);
    await assert.rejects(verifyAccess(webcrypto, alice.approver, signed), invalid);
    const other = { id: "alice", passkey: newPasskey(algorithm).passkey };
    await assert.rejects(verifyAccess(webcrypto, other, signed), { ...invalid, detail: { check: "signature" } });
    // What the passkey signed to answer gives no access.
    const assertion = answered(answerTo(requestOf(), "alice"));
    await assert.rejects(verifyAccess(webcrypto, approver, { access: signed.access, assertion }), {
      ...invalid,
      detail: { check: "challenge" },
    });
  });

test("anything else is refused", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((text) => new TextEncoder().encode(text)),
      ),
      (bytes) => {
        assert.throws(() => readAccess(untrusted(bytes)), { code: "APPROVAL_MALFORMED" });
      },
    ),
  );
});
