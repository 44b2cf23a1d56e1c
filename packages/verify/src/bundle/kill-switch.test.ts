import assert from "node:assert/strict";
import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { describe, test } from "node:test";
import {
  killSwitchDetail,
  operatorSigningInput,
  SessionChain,
  type AuditEntry,
  type KillSwitchStatement,
} from "@cmcp/audit";
import { toBase64Url } from "@cmcp/boundary";
import { Instance } from "../testing/instance.ts";
import {
  altered,
  CATALOG_HASH,
  claimOf,
  entriesOf,
  failures,
  ISSUED_AT,
  judge,
  OTHER_HASH,
  POLICY_HASH,
} from "../testing/session.ts";

const instance = new Instance();
const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const operator = publicKey.export({ format: "jwk" }).x ?? "";

/** A session that an operator stopped, with a statement that the operator signed as `change` makes it. */
function stopped(change: (right: KillSwitchStatement) => KillSwitchStatement = (right) => right): AuditEntry[] {
  const chain = new SessionChain(randomUUID(), () => ISSUED_AT * 1000 - 60_000);
  const root = {
    policy_hash: POLICY_HASH,
    catalog_hash: CATALOG_HASH,
    enforcement_mode: "enforcing",
    launch_digest: OTHER_HASH,
    isolation: "network-namespace",
    channel: "plain",
    instance: instance.name,
  };
  const statement: KillSwitchStatement = {
    v: 1,
    purpose: "kill-switch-trip",
    instance: instance.name,
    principal: "alice",
    sequence: 3,
    reason: "leaked",
  };
  const signature = toBase64Url(sign(null, operatorSigningInput(change(statement)), privateKey));
  return [
    chain.append({ entry_type: "session_start", session_sensitivity_after: "public", detail: root }),
    chain.append({
      entry_type: "break_glass_used",
      detail: killSwitchDetail({ statement, key: operator, signature }),
    }),
    chain.append({
      entry_type: "session_end",
      session_sensitivity_after: "public",
      detail: { policy_hash: POLICY_HASH },
    }),
  ];
}

const terms = { window_seconds: 60, deny_rate_threshold: 0.5, min_calls: 4 };
const judged = async (entries: AuditEntry[], change: (claim: ReturnType<typeof claimOf>) => void = () => undefined) => {
  const { signature: _, ...claim } = altered(claimOf(instance, entries, terms), change);
  return await judge({ claim: instance.claim(claim), bundle: instance.bundle(entries) });
};

describe("the kill switch in a record", () => {
  test("that did not stop it is said", async () => {
    const entries = entriesOf(instance);
    const { checks } = await judge({ claim: claimOf(instance, entries), bundle: instance.bundle(entries) });
    assert.equal(checks.find(({ name }) => name === "kill switch")?.why, "it did not stop the session");
  });

  test("is accepted with the operator's signature, and its trigger named", async () => {
    const verdict = await judged(stopped());
    assert.equal(verdict.outcome, "accepted");
    const why = (name: string): string => verdict.checks.find((check) => check.name === name)?.why ?? "";
    assert.match(why("operator statements"), new RegExp(operator));
    assert.match(why("kill switch"), /stopped the session: operator/);
  });

  test("is refused where the operator signed something else", async () => {
    for (const change of [{ principal: "bob" }, { sequence: 4 }, { purpose: "kill-switch-unblock" }] as const)
      assert.deepEqual(failures(await judged(stopped((right) => ({ ...right, ...change })))), [
        "operator statements SIGNATURE_INVALID",
      ]);
  });

  test("is refused where the claim says otherwise than the entries", async () => {
    const wrong = [
      (claim: ReturnType<typeof claimOf>) => void (claim.gateway.kill_switch_triggered = false),
      (claim: ReturnType<typeof claimOf>) => void delete claim.gateway.kill_switch,
      (claim: ReturnType<typeof claimOf>) => void (claim.gateway.kill_switch = { ...terms, enabled: true }),
      (claim: ReturnType<typeof claimOf>) =>
        void (claim.gateway.kill_switch = { ...terms, enabled: true, trigger: "deny_rate" }),
    ];
    for (const change of wrong)
      assert.deepEqual(failures(await judged(stopped(), change)), ["kill switch CLAIM_INCONSISTENT"]);
  });
});
