import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { canonicalBytes, untrusted } from "@cmcp/boundary";
import { readAnswer, verifyAnswer, type SignedAnswer } from "./answer.ts";
import { approverDigest, approverSchema, type Approver } from "./approver.ts";
import { answerTo, flipped, newApprover, newPasskey, requestOf, type AssertionChanges } from "./testing/statements.ts";

const request = requestOf();
const alice = newApprover("alice");
const malformed = { code: "APPROVAL_MALFORMED" } as const;

async function refuses(approver: Approver, signed: SignedAnswer, check: string): Promise<void> {
  await assert.rejects(verifyAnswer(webcrypto, approver, signed), {
    code: "APPROVAL_ANSWER_INVALID",
    detail: { check },
  });
}

void describe("an answer of an Ed25519 key", () => {
  void it("reads back, and verifies for its approver", async () => {
    for (const changes of [{}, { decision: "deny", reason: "not this one: ask Bob, naïvely" } as const]) {
      const signed = readAnswer(untrusted(alice.answer(request, changes)));
      assert.deepEqual(signed.answer, answerTo(request, "alice", changes));
      await verifyAnswer(webcrypto, alice.approver, signed);
    }
  });

  void it("is of no other approver, key, request, decision or reason", async () => {
    const signed = readAnswer(untrusted(alice.answer(request)));
    await refuses(newApprover("bob").approver, signed, "approver");
    await refuses(newApprover("alice").approver, signed, "signature");
    const { answer } = signed;
    const other = requestOf({ arguments: { to: "mallory@example.org" } });
    for (const change of [
      { request_hash: answerTo(other, "alice").request_hash },
      { decision: "deny" },
      { reason: "of course" },
      { approval_id: "A".repeat(21) + "A" },
    ] as const)
      await refuses(alice.approver, { ...signed, answer: { ...answer, ...change } }, "signature");
    assert.ok("signature" in signed);
    await refuses(alice.approver, { answer, signature: flipped(signed.signature, 5) }, "signature");
  });

  void it("is refused with anything wrong, missing or surplus, and in any other spelling", () => {
    for (const change of [
      { decision: "maybe" },
      { approver: "Alice" },
      { reason: "" },
      { reason: "x".repeat(257) },
      { reason: "a\u202eb" },
      { reason: "a\nb" },
      { also: 1 },
    ]) {
      const answer = { ...answerTo(request, "alice"), ...change };
      const bytes = canonicalBytes({ answer, signature: "A".repeat(86) });
      assert.throws(() => readAnswer(untrusted(bytes)), malformed, JSON.stringify(change));
    }
    const text = new TextDecoder().decode(alice.answer(request));
    assert.throws(() => readAnswer(untrusted(new TextEncoder().encode(`${text} `))), malformed);
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((json) => new TextEncoder().encode(json)),
        ),
        (bytes) => {
          assert.throws(() => readAnswer(untrusted(bytes)), malformed);
        },
      ),
    );
  });
});

for (const algorithm of ["ES256", "EdDSA"] as const)
  void describe(`an answer of a passkey, ${algorithm}`, () => {
    const key = newPasskey(algorithm);
    const carol: Approver = { id: "carol", passkey: key.passkey };
    const answer = answerTo(request, "carol");
    const signedWith = (changes: AssertionChanges): SignedAnswer => ({
      answer,
      assertion: key.assert(answer, changes),
    });

    void it("reads back, and verifies for its approver", async () => {
      const signed = readAnswer(untrusted(canonicalBytes(signedWith({}))));
      await verifyAnswer(webcrypto, carol, signed);
      await verifyAnswer(webcrypto, carol, signedWith({ flags: 0x1d }));
    });

    void it("is refused for each thing that it must be", async () => {
      const other = answerTo(requestOf({ needed: 2 }), "carol");
      const cases: readonly (readonly [SignedAnswer, string])[] = [
        [signedWith({ client: { type: "webauthn.create" } }), "type"],
        [{ answer, assertion: key.assert(other) }, "challenge"],
        [signedWith({ client: { origin: "https://evil.example" } }), "origin"],
        [signedWith({ client: { origin: "http://localhost:4001" } }), "origin"],
        [signedWith({ client: { crossOrigin: true } }), "origin"],
        [signedWith({ client: { topOrigin: "http://localhost:4000" } }), "origin"],
        [signedWith({ rpId: "evil.example" }), "rp-id"],
        [signedWith({ flags: 0x04 }), "user-present"],
        [signedWith({ flags: 0x01 }), "user-verified"],
        [signedWith({ flags: 0x45 }), "authenticator-data"],
        [signedWith({ flags: 0x85 }), "authenticator-data"],
        [signedWith({ flags: 0x15 }), "authenticator-data"],
      ];
      for (const [signed, check] of cases) await refuses(carol, signed, check);
      const sound = key.assert(answer);
      const counted = flipped(sound.authenticator_data, 36);
      await refuses(carol, { answer, assertion: { ...sound, authenticator_data: counted } }, "signature");
      await refuses(
        carol,
        { answer, assertion: { ...sound, signature: newPasskey(algorithm).assert(answer).signature } },
        "signature",
      );
      await refuses(carol, { answer, assertion: { ...sound, client_data_json: "e30" } }, "client-data");
    });

    void it("is not taken for a key's answer, nor a key's for it", async () => {
      await refuses({ id: "carol", ed25519: alice.approver.ed25519 }, signedWith({}), "method");
      await refuses(carol, { answer, signature: "A".repeat(86) }, "method");
    });
  });

void describe("an approver", () => {
  void it("has a name and one key of a known kind", () => {
    const { passkey } = newPasskey("ES256");
    assert.ok(approverSchema.safeParse(alice.approver).success);
    assert.ok(approverSchema.safeParse({ id: "carol", passkey }).success);
    for (const bad of [
      { id: "A b", ed25519: alice.approver.ed25519 },
      { id: "a", ed25519: "short" },
      { id: "a", ed25519: alice.approver.ed25519, passkey },
      { id: "a", passkey: { ...passkey, origins: [] } },
      { id: "a", passkey: { ...passkey, origins: ["http://localhost:4000/"] } },
      { id: "a", passkey: { ...passkey, rp_id: "localhost/" } },
      { id: "a" },
    ])
      assert.equal(approverSchema.safeParse(bad).success, false, JSON.stringify(bad));
  });

  void it("is named by a digest of all that it is", async () => {
    const one = await approverDigest(webcrypto, alice.approver);
    assert.match(one, /^[A-Za-z0-9_-]{43}$/);
    assert.notEqual(one, await approverDigest(webcrypto, newApprover("alice").approver));
    assert.notEqual(one, await approverDigest(webcrypto, { ...alice.approver, id: "bob" }));
  });
});
