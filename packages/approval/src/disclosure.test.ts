import assert from "node:assert/strict";
import { createHash, createPublicKey, verify, webcrypto } from "node:crypto";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { canonicalBytes, canonicalText, toBase64Url, untrusted } from "@cmcp/boundary";
import type { Approver } from "./approver.ts";
import {
  outputBytes,
  outputHash,
  permissionSigningInput,
  readPermission,
  readSignedPermission,
  recipientOf,
  sourceScopeOf,
  verifyPermission,
  type RecordedPermission,
} from "./disclosure.ts";
import { answerTo, flipped, newApprover, newPasskey, permissionOf, requestOf, SALT } from "./testing/statements.ts";

const alice = newApprover("alice");
const malformed = { code: "APPROVAL_MALFORMED" } as const;

async function refuses(owner: Approver, signed: RecordedPermission, check: string): Promise<void> {
  await assert.rejects(verifyPermission(webcrypto, owner, signed), {
    code: "DISCLOSURE_PERMISSION_INVALID",
    detail: { check },
  });
}

void describe("a disclosure permission", () => {
  void it("reads back, and verifies for its owner alone", async () => {
    const permission = permissionOf();
    const signed = readSignedPermission(untrusted(canonicalBytes(alice.permit(permission))));
    assert.deepEqual([signed.permission, signed.salt], [permission, SALT]);
    assert.deepEqual(readPermission(untrusted(canonicalBytes(permission))), permission);
    await verifyPermission(webcrypto, alice.approver, signed);
    await refuses(newApprover("bob").approver, signed, "owner");
    await refuses(newApprover("alice").approver, signed, "signature");
    assert.ok("signature" in signed);
    await refuses(alice.approver, { permission, signature: flipped(signed.signature, 7) }, "signature");
    await refuses({ id: "alice", passkey: newPasskey("EdDSA").passkey }, signed, "method");
  });

  void it("binds every member", async () => {
    const { signature } = alice.permit(permissionOf()) as { signature: string };
    const other = { principal: "alice", labels: ["mnpi"], request_id: "02".repeat(32) };
    for (const change of [
      { not_before: 1_001 },
      { expires_at: 1_901 },
      { request_id: other.request_id },
      { workload: "agent-2" },
      { source_scope: sourceScopeOf(toBase64Url(new Uint8Array(32).fill(3)), "stay") },
      { labels: other.labels },
      { recipient: recipientOf("spiffe://mail", "send_all") },
      { purpose: "other" },
      { policy_version: `sha256:${"b".repeat(64)}` },
      { output_sha256: "0".repeat(64) },
    ])
      await refuses(alice.approver, { permission: permissionOf(undefined, change), signature }, "signature");
  });

  void it("is signed as the public cMCP signs an exact-output disclosure", () => {
    const permission = permissionOf();
    const message = Buffer.concat([
      Buffer.from("cmcp/exact-output-disclosure/v1\0"),
      Buffer.from(canonicalText(permission)),
    ]);
    assert.deepEqual(Buffer.from(permissionSigningInput(permission)), message);
    assert.deepEqual(Object.keys(permission).toSorted(), [
      "expires_at",
      "labels",
      "not_before",
      "output_sha256",
      "policy_version",
      "principal",
      "purpose",
      "recipient",
      "request_id",
      "source_scope",
      "workload",
    ]);
    const signed = alice.permit(permission);
    assert.ok("signature" in signed);
    const key = createPublicKey(alice.privateKey);
    assert.ok(verify(null, message, key, Buffer.from(signed.signature, "base64url")));
  });

  void it("names its bytes by a hash that says nothing of them without the salt", async () => {
    const args = { text: "yes" };
    const bytes = outputBytes(SALT, args);
    assert.deepEqual(Buffer.from(bytes.subarray(32)).toString(), '{"text":"yes"}');
    const hash = await outputHash(webcrypto, SALT, args);
    assert.equal(hash, createHash("sha256").update(bytes).digest("hex"));
    const salt = toBase64Url(new Uint8Array(32).fill(7));
    assert.notEqual(await outputHash(webcrypto, salt, args), hash);
    assert.throws(() => outputBytes("AA", args), malformed);
  });

  void it("is refused with anything wrong, missing or surplus, and in any other spelling", () => {
    const signature = "A".repeat(86);
    const names = (length: number): string[] => Array.from({ length }, (_, at) => `${"x".repeat(200)}${at}`);
    for (const change of [
      { principal: "Alice" },
      { not_before: -1 },
      { expires_at: 1_000 },
      { expires_at: 1_000 + 86_401 },
      { request_id: "01" },
      { request_id: "0A".repeat(32) },
      { workload: "" },
      { source_scope: "x".repeat(257) },
      { labels: [] },
      { labels: ["pii", "pii"] },
      { labels: names(65) },
      { labels: names(30) },
      { recipient: "" },
      { purpose: "" },
      { policy_version: "1.0.0" },
      { output_sha256: "sha256:00" },
      { also: 1 },
    ]) {
      const permission = { ...permissionOf(), ...change };
      const bytes = canonicalBytes({ permission, salt: SALT, signature });
      assert.throws(() => readSignedPermission(untrusted(bytes)), malformed, JSON.stringify(change).slice(0, 80));
      assert.throws(() => readPermission(untrusted(canonicalBytes(permission))), malformed);
    }
    for (const rest of [{ salt: "AA", signature }, { signature }, { salt: SALT, signature: "AA" }, { salt: SALT }])
      assert.throws(
        () => readSignedPermission(untrusted(canonicalBytes({ permission: permissionOf(), ...rest }))),
        malformed,
      );
    const text = canonicalText(alice.permit(permissionOf()));
    assert.throws(() => readSignedPermission(untrusted(new TextEncoder().encode(`${text} `))), malformed);
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((json) => new TextEncoder().encode(json)),
        ),
        (bytes) => {
          assert.throws(() => readSignedPermission(untrusted(bytes)), malformed);
          assert.throws(() => readPermission(untrusted(bytes)), malformed);
        },
      ),
    );
  });

  void it("is read as it was written, whatever names it has", () => {
    const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(name, name, fc.uniqueArray(name, { minLength: 1, maxLength: 8 }), (workload, purpose, labels) => {
        const permission = permissionOf(undefined, { workload, purpose, labels });
        assert.deepEqual(readPermission(untrusted(canonicalBytes(permission))), permission);
      }),
    );
  });
});

for (const algorithm of ["ES256", "EdDSA"] as const)
  void describe(`a disclosure permission of a passkey, ${algorithm}`, () => {
    const key = newPasskey(algorithm);
    const owner: Approver = { id: "alice", passkey: key.passkey };
    const permission = permissionOf();

    void it("verifies for its owner, and not with what the passkey signed for something else", async () => {
      const signed = readSignedPermission(untrusted(canonicalBytes(key.permit(permission))));
      await verifyPermission(webcrypto, owner, signed);
      await refuses(alice.approver, signed, "method");
      const answered = key.assert(answerTo(requestOf(), "alice"));
      await refuses(owner, { permission, assertion: answered }, "challenge");
      for (const [changes, check] of [
        [{ client: { origin: "https://evil.example" } }, "origin"],
        [{ flags: 0x01 }, "user-verified"],
        [{ rpId: "evil.example" }, "rp-id"],
      ] as const)
        await refuses(owner, key.permit(permission, changes), check);
    });
  });
