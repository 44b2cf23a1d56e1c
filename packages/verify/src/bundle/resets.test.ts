import assert from "node:assert/strict";
import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { describe, test } from "node:test";
import { operatorSigningInput, SessionChain, type AuditEntry, type ResetStatement } from "@cmcp/audit";
import { toBase64Url } from "@cmcp/boundary";
import { Instance, relink } from "../testing/instance.ts";
import { CATALOG_HASH, claimOf, failures, ISSUED_AT, judge, OTHER_HASH, POLICY_HASH } from "../testing/session.ts";

const instance = new Instance();
const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const operator = publicKey.export({ format: "jwk" }).x ?? "";

/** A session with one reset, for which the operator signed what `change` makes of the right statement. */
function entriesWith(
  change: (right: ResetStatement) => ResetStatement,
  detail: Record<string, string | number> = {},
): AuditEntry[] {
  const session = randomUUID();
  const chain = new SessionChain(session, () => ISSUED_AT * 1000 - 60_000);
  const root = {
    policy_hash: POLICY_HASH,
    catalog_hash: CATALOG_HASH,
    enforcement_mode: "enforcing",
    launch_digest: OTHER_HASH,
    isolation: "network-namespace",
    channel: "plain",
    instance: instance.name,
  };
  const start = chain.append({ entry_type: "session_start", session_sensitivity_after: "hipaa_phi", detail: root });
  const right: ResetStatement = {
    v: 1,
    purpose: "session-reset",
    session_id: session,
    chain_tip: start.entry_hash,
    instance: instance.name,
    sequence: 3,
    reason: "synthetic",
  };
  const operator_signature = toBase64Url(sign(null, operatorSigningInput(change(right)), privateKey));
  const reset = chain.append({
    entry_type: "session_reset",
    session_sensitivity_before: "hipaa_phi",
    session_sensitivity_after: "public",
    detail: {
      closed_session_id: session,
      successor_session_id: randomUUID(),
      policy_hash: POLICY_HASH,
      operator_key: operator,
      operator_signature,
      sequence: 3,
      reason: "synthetic",
      session_max_sensitivity: "hipaa_phi",
      ...detail,
    },
  });
  return [start, reset];
}

const judged = async (entries: readonly AuditEntry[]): Promise<string[]> =>
  failures(await judge({ claim: claimOf(instance, entries), bundle: instance.bundle(entries) }));

describe("a reset in the record", () => {
  test("with the operator's signature over its place is accepted, and its key named", async () => {
    const entries = entriesWith((right) => right);
    const verdict = await judge({ claim: claimOf(instance, entries), bundle: instance.bundle(entries) });
    assert.equal(verdict.outcome, "accepted");
    assert.match(verdict.checks.find(({ name }) => name === "operator resets")?.why ?? "", new RegExp(operator));
  });

  const wrong: Record<string, (right: ResetStatement) => ResetStatement> = {
    "another session": (right) => ({ ...right, session_id: randomUUID() }),
    "another place": (right) => ({ ...right, chain_tip: "0".repeat(64) }),
    "another instance": (right) => ({ ...right, instance: new Instance().name }),
    "another sequence": (right) => ({ ...right, sequence: 4 }),
    "another reason": (right) => ({ ...right, reason: "other" }),
  };
  for (const [what, change] of Object.entries(wrong)) {
    test(`that an operator signed for ${what} is rejected`, async () => {
      assert.deepEqual(await judged(entriesWith(change)), ["operator resets SIGNATURE_INVALID"]);
    });
  }

  test("that does not name its session and a successor, or is followed by an entry of another session, is no chain", async () => {
    const [start, reset] = entriesWith((right) => right);
    assert.ok(start !== undefined && reset !== undefined);
    const { session_id: own } = start;
    for (const detail of [
      { closed_session_id: randomUUID() },
      { successor_session_id: own },
      { successor_session_id: "none" },
      { successor_session_id: 7 },
    ])
      assert.deepEqual(
        await judged(relink([start, { ...reset, detail: { ...reset.detail, ...detail } }])),
        ["audit chain CHAIN_BROKEN"],
        JSON.stringify(detail),
      );
    const next = { ...reset, entry_type: "fault", detail: null } as const;
    const successor = String(reset.detail?.["successor_session_id"]);
    assert.deepEqual(await judged(relink([start, reset, { ...next, session_id: successor }])), []);
    for (const session_id of [own, randomUUID()])
      assert.deepEqual(await judged(relink([start, reset, { ...next, session_id }])), ["audit chain CHAIN_BROKEN"]);
  });

  test("without a signature, or under another key, is rejected", async () => {
    for (const detail of [{ operator_signature: "" }, { operator_key: instance.jwk.x }, { sequence: "3" }]) {
      assert.deepEqual(await judged(entriesWith((right) => right, detail)), ["operator resets SIGNATURE_INVALID"]);
    }
  });
});
