import assert from "node:assert/strict";
import { test } from "node:test";
import { toBase64Url } from "@cmcp/boundary";
import { newPasskey, type AssertionChanges } from "../../../approval/src/testing/statements.ts";
import { Approvers } from "./approvers.ts";

const instance = toBase64Url(new Uint8Array(32).fill(2));
const invalid = { code: "APPROVAL_ACCESS_INVALID" } as const;

const launchDigest = `sha256:${"d".repeat(64)}`;

function start() {
  const alice = newPasskey("ES256");
  const now = (): number => 1_000_000;
  const approvers = new Approvers([{ id: "alice", passkey: alice.passkey }], {
    instance,
    launchDigest,
    now,
    monotonic: now,
  });
  let count = 0;
  const statement = (
    passkey = alice,
    said: Partial<{ instance: string; launch_digest: string; issued_at: number; approver: string }> = {},
    changes?: AssertionChanges,
  ) => {
    count += 1;
    const random = toBase64Url(new Uint8Array(16).fill(count));
    return passkey.access(
      { instance, launch_digest: launchDigest, approver: "alice", issued_at: 1_000, random, ...said },
      changes,
    );
  };
  return { approvers, statement };
}

test("an approver's passkey gets a token for a statement, once", async () => {
  const { approvers, statement } = start();
  const signed = statement();
  const { token } = await approvers.admit(signed);
  assert.equal(approvers.authenticate(`Bearer ${token}`).id, "alice");
  await assert.rejects(approvers.admit(signed), invalid);
});

test("a statement of another passkey, page, instance, launch document, name or time gets none, nor one whose user was not verified", async () => {
  const { approvers, statement } = start();
  for (const [passkey, said, changes] of [
    [newPasskey("ES256")],
    [undefined, { instance: toBase64Url(new Uint8Array(32).fill(3)) }],
    [undefined, { launch_digest: `sha256:${"e".repeat(64)}` }],
    [undefined, { approver: "bob" }],
    [undefined, { issued_at: 1_301 }],
    [undefined, {}, { client: { origin: "http://localhost:1" } }],
    [undefined, {}, { client: { challenge: instance } }],
    [undefined, {}, { flags: 0x01 }],
  ] as const)
    await assert.rejects(approvers.admit(statement(passkey, said, changes)), invalid, JSON.stringify([said, changes]));
});
