import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { describe, test } from "node:test";
import {
  operatorSigningInput,
  policyKeyDetail,
  policyKeyStatementOf,
  verifiesStatement,
  type PolicyKeyStatement,
  type SignedPolicyKey,
} from "@cmcp/audit";
import { toBase64Url } from "@cmcp/boundary";
import { SigningKeys } from "@cmcp/policy";
import { Operators } from "../access/operators.ts";
import { callerOf, entryIn, HostStore, ofSession, recordRoom } from "../testing/record-room.ts";
import { PolicyKeys, restorePolicyKeys } from "./policy-keys.ts";

function keyPair() {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const key = publicKey.export({ format: "jwk" }).x ?? "";
  return { key, sign: (statement: object) => toBase64Url(sign(null, operatorSigningInput(statement), privateKey)) };
}
const [operator, present, next] = [keyPair(), keyPair(), keyPair()];
const members = { v: 1, instance: "i".repeat(43), sequence: 1, reason: "why" } as const;

function succession(signer = present): SignedPolicyKey {
  const statement: PolicyKeyStatement = {
    ...members,
    purpose: "policy-key-succeed",
    policy_key: present.key,
    next_key: next.key,
  };
  return {
    statement,
    key: operator.key,
    signature: operator.sign(statement),
    present_signature: signer.sign(statement),
  };
}
function revocation(): SignedPolicyKey {
  const statement: PolicyKeyStatement = { ...members, purpose: "policy-key-revoke", policy_key: present.key };
  return { statement, key: operator.key, signature: operator.sign(statement) };
}

describe("policy signing keys in the record", () => {
  test("change with the present key's signature only, and each change is in every open session", async () => {
    const store = new HostStore();
    const room = recordRoom(store);
    await room.begin();
    const recorded = await room.sessions.openOrJoin(callerOf("alice"), null);
    await room.recorder.ensureStarted(recorded);
    const keys = new SigningKeys(present.key);
    const { recorder, sessions, journal } = room;
    const ports = {
      keys,
      recorder,
      sessions,
      journal,
      root: () => room.facts,
      now: () => Date.now(),
      verifies: verifiesStatement,
    };
    const policyKeys = new PolicyKeys(ports);
    await assert.rejects(policyKeys.apply(succession(next)), { code: "POLICY_KEY_REVOCATION_INVALID" });
    assert.equal(keys.current, present.key);
    await policyKeys.apply(succession());
    await policyKeys.apply(revocation());
    assert.deepEqual([keys.current, keys.isRevoked(present.key)], [next.key, true]);
    const reasons = ofSession(store, recorded.session.id, "entry").map(
      (held) => (entryIn(held)?.detail as Record<string, unknown> | null)?.["reason"],
    );
    assert.deepEqual(reasons, [undefined, "policy_key_succeeded", "policy_key_revoked"]);
  });

  test("are restored from what an operator and the present key signed, and nothing else", () => {
    const operators = new Operators([operator.key]);
    const restored = (...policyKeys: SignedPolicyKey[]): SigningKeys => {
      const keys = new SigningKeys(present.key);
      restorePolicyKeys({ keys, verifies: verifiesStatement }, { policyKeys }, (signed) => operators.hasSigned(signed));
      return keys;
    };
    assert.equal(restored(succession()).current, next.key);
    assert.equal(restored(revocation()).isRevoked(present.key), true);
    assert.equal(restored(succession(next)).current, present.key);
    assert.equal(restored({ ...succession(), signature: present.sign({}) }).current, present.key);
    assert.equal(restored({ ...revocation(), key: present.key }).isRevoked(present.key), false);
  });

  test("stand in an entry as the whole statement", async () => {
    for (const signed of [succession(), revocation()]) {
      const entry = { entry_type: "break_glass_used", detail: policyKeyDetail(signed) } as never;
      assert.deepEqual(policyKeyStatementOf(entry, members.instance), signed);
      assert.equal(policyKeyStatementOf(entry, 7), null);
    }
  });
});
