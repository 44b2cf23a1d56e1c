import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { parseConfig } from "@cmcp/launch";
import { SessionChain, type JournalStatement, type Receipt, type ReceiptBody } from "@cmcp/audit";
import type { Core } from "../boot/core.ts";
import type { RecordedSession } from "./recorded-session.ts";
import { ensureStarted, recordDecision } from "./recorder.ts";

const SIGNATURE = { index: 0, path: [], size: 1, value: "A".repeat(86) };

/** A session with its first entry, and a core whose journal answers with what `sign` makes of a receipt. */
function session(sign: (receipt: ReceiptBody | null) => Receipt | null): {
  readonly core: Core;
  readonly recorded: RecordedSession;
} {
  const chain = new SessionChain("0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90");
  chain.append({ entry_type: "session_start" });
  const journal = {
    append: (_session: string, _statement: JournalStatement, receipt: ReceiptBody | null) =>
      Promise.resolve(sign(receipt)),
  };
  const recorded = { chain, session: { highestSensitivity: "public" }, stored: Promise.resolve() };
  return {
    core: { journal, instance: "A".repeat(43) } as unknown as Core,
    recorded: recorded as unknown as RecordedSession,
  };
}

const decision = {
  entry_type: "tool_call",
  call_id: "call-1",
  policy_decision: "allow",
  detail: { policy_hash: `sha256:${"a".repeat(64)}` },
} as const;

test("a decision gives the receipt that was signed for its own entry", async () => {
  const { core, recorded } = session((receipt) => receipt && { ...receipt, signature: SIGNATURE });
  const receipt = await recordDecision(core, recorded, decision);
  assert.deepEqual(
    [receipt.call_id, receipt.sequence_number, receipt.entry_hash, receipt.signature],
    ["call-1", 1, recorded.chain.tip, SIGNATURE],
  );
});

test("a decision that was stored without a receipt is a fault, never an answer without one", async () => {
  const { core, recorded } = session(() => null);
  await assert.rejects(recordDecision(core, recorded, decision), { code: "INTERNAL" });
});

test("a session whose first entry the host stored late is one like any other from then on", async () => {
  const late = (): never => {
    throw new CmcpError("AUDIT_STORE_UNAVAILABLE", "not yet");
  };
  const { config } = parseConfig("", { env: { CMCP_DEV_MODE: "1" } });
  const chain = new SessionChain("0b6f4f3e-6f0e-4d6b-9f5e-2f8a4c1d7e90");
  const recorded = {
    chain,
    session: { principalId: "alice", sensitivity: "public", highestSensitivity: "public" },
    started: null,
    stored: Promise.resolve(),
    openedBy: {},
  } as unknown as RecordedSession;
  const journal = { append: () => Promise.resolve().then(late), assertCaughtUp: late as () => void };
  const core = {
    journal,
    config,
    instance: "A".repeat(43),
    policy: { bundle: { hash: "sha256:0", version: "1" } },
    catalog: { hash: "sha256:0" },
    launchDigest: "sha256:0",
    platform: "software-only",
    isolation: "none",
  } as unknown as Core;
  for (let call = 0; call < 2; call += 1)
    await assert.rejects(ensureStarted(core, recorded), { code: "AUDIT_STORE_UNAVAILABLE" });
  journal.assertCaughtUp = () => undefined;
  await ensureStarted(core, recorded);
  assert.equal(chain.length, 1, "it begins once");
  recorded.started = Promise.reject(new CmcpError("INTERNAL", "never stored"));
  await assert.rejects(ensureStarted(core, recorded), { code: "INTERNAL" });
});
