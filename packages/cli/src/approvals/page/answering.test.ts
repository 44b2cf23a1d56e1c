import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, type ErrorCode } from "@cmcp/boundary";
import type { EnclaveOfApprovals, WaitingCalls } from "@cmcp/client";
import { newPasskey } from "../../../../approval/src/testing/statements.ts";
import { answering } from "./answering.ts";

const LAUNCH = `sha256:${"d".repeat(64)}`;
const NAMES = [2, 3].map((byte) => Buffer.alloc(32, byte).toString("base64url"));
const [FIRST = "", SECOND = ""] = NAMES;

/** An enclave whose list fails with what a test says. */
function enclaveOf(instance: string, fails: () => Error | null): EnclaveOfApprovals {
  const calls: WaitingCalls = {
    list: async () => {
      const thrown = await Promise.resolve(fails());
      if (thrown !== null) throw thrown;
      return [];
    },
    show: () => Promise.reject(new Error("not shown here")),
    send: () => Promise.reject(new Error("not sent here")),
    permit: () => Promise.reject(new Error("nothing is permitted here")),
  };
  const verdict = { assurance: "none" } as unknown as EnclaveOfApprovals["verdict"];
  return { verdict, instance, launchDigest: LAUNCH, enter: async () => await Promise.resolve(calls) };
}

/** A page that is signed in at the first instance, whose list then fails. */
async function start(fails: Error, verify: () => Promise<EnclaveOfApprovals>) {
  let thrown: Error | null = null;
  const enclave = enclaveOf(FIRST, () => thrown);
  const api = answering({ enclave, verify, gateway: "https://gw.example/", approver: "alice" });
  const access = newPasskey("ES256").access({
    instance: FIRST,
    launch_digest: LAUNCH,
    approver: "alice",
    random: Buffer.alloc(16, 1).toString("base64url"),
    issued_at: 1,
  });
  const asked = async (path: string, body: Uint8Array<ArrayBuffer> | null = null) =>
    await api({ method: body === null ? "GET" : "POST", path, body: body ?? new Uint8Array() });
  await asked("access", access);
  assert.deepEqual(await asked("approvals"), { approvals: [] });
  thrown = fails;
  return { asked };
}

const lost = (code: ErrorCode): CmcpError => new CmcpError(code, "lost");

for (const code of ["SEAL_OUTCOME_UNKNOWN", "INSTANCE_CHANGED"] as const)
  test(`a gateway that has restarted (${code}) is verified anew, and asks its approver to sign in again`, async () => {
    const { asked } = await start(lost(code), async () => await Promise.resolve(enclaveOf(SECOND, () => null)));
    await assert.rejects(asked("approvals"), (thrown) => {
      assert.ok(thrown instanceof CmcpError && thrown.code === "APPROVAL_ACCESS_INVALID");
      assert.match(thrown.message, /has restarted[^]*is verified[^]*What waited is gone[^]*Sign in again/);
      return true;
    });
    const state = { ...((await asked("state")) as Readonly<Record<string, unknown>>) };
    assert.deepEqual([state["instance"], state["launch_digest"], state["entered"]], [SECOND, LAUNCH, false]);
    await assert.rejects(asked("approvals"), /sign in with your passkey first/);
  });

test("an answer that is lost of the same enclave leaves the approver signed in", async () => {
  const { asked } = await start(
    lost("SEAL_OUTCOME_UNKNOWN"),
    async () => await Promise.resolve(enclaveOf(FIRST, () => null)),
  );
  await assert.rejects(asked("approvals"), { code: "SEAL_OUTCOME_UNKNOWN" });
  assert.deepEqual(Object.entries((await asked("state")) ?? {}).at(-1), ["entered", true]);
});

test("another enclave that is not accepted, and a gateway that does not answer, are said so", async () => {
  const refused = await start(lost("INSTANCE_CHANGED"), () => Promise.reject(lost("INSTANCE_NOT_ACCEPTED")));
  await assert.rejects(refused.asked("approvals"), { code: "INSTANCE_NOT_ACCEPTED" });
  const down = await start(new TypeError("fetch failed"), () => Promise.reject(new TypeError("fetch failed")));
  await assert.rejects(down.asked("approvals"), { code: "ENCLAVE_UNAVAILABLE", message: /does not answer/ });
  const gone = await start(lost("SEAL_OUTCOME_UNKNOWN"), () => Promise.reject(new TypeError("fetch failed")));
  await assert.rejects(gone.asked("approvals"), { code: "ENCLAVE_UNAVAILABLE" });
});
