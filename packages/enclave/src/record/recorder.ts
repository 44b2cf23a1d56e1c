import {
  receiptOf,
  type AuditEntry,
  type EntryFields,
  type Intent,
  type Receipt,
  type ReceiptBody,
  type WrittenEntry,
} from "@cmcp/audit";
import { CmcpError, asCmcpError } from "@cmcp/boundary";
import type { Drift } from "@cmcp/catalog";
import { approvedOf, nameOf, type Target } from "@cmcp/catalog";
import type { Core } from "../boot/core.ts";
import type { RecordedSession } from "./recorded-session.ts";

/** An entry that is in the chain, and the host's acknowledgement to wait for: with it comes the entry's receipt, if it is to have one. */
export interface Recorded {
  readonly entry: AuditEntry;
  readonly stored: Promise<Receipt | null>;
}

/**
 * Where an operator reset has taken the sensitivity below what the session had before, an entry also says
 * the highest ever: labels alone, without their ranks, would not tell a reader which is higher.
 */
function withHighest({ session }: RecordedSession, fields: EntryFields): EntryFields {
  if (fields.session_sensitivity_after === undefined || session.highestSensitivity === fields.session_sensitivity_after)
    return fields;
  return { ...fields, detail: { ...fields.detail, session_max_sensitivity: session.highestSensitivity } };
}

/** Appends one entry to a session's chain and hands it to the host's store. */
export function record(core: Core, recorded: RecordedSession, fields: EntryFields): Recorded {
  return store(core, recorded, recorded.chain.write(withHighest(recorded, fields)), null);
}

/** As {@link record}, for a decision: waits for the acknowledgement and gives the receipt. @throws CmcpError `INTERNAL` where there is none */
export async function recordDecision(core: Core, recorded: RecordedSession, fields: EntryFields): Promise<Receipt> {
  const written = recorded.chain.write(withHighest(recorded, fields));
  const receipt = await store(core, recorded, written, receiptOf(written.entry, core.instance, "plain")).stored;
  if (receipt === null) throw new CmcpError("INTERNAL", "a decision was stored without its receipt");
  return receipt;
}

function store(
  core: Core,
  recorded: RecordedSession,
  { entry, written }: WrittenEntry,
  receipt: ReceiptBody | null,
): Recorded {
  const stored = core.journal.append(
    entry.session_id,
    { kind: "entry", body: { entry: written, receipt: receipt?.channel ?? null } },
    receipt,
  );
  const before = recorded.stored;
  // Resolves to nothing: a promise of all outcomes would hold those of every entry before it.
  recorded.stored = stored.then(
    () => before,
    () => before,
  );
  return { entry, stored };
}

/** Records once in a session that something it asked for has drifted. */
export async function recordDrift(core: Core, recorded: RecordedSession, subject: Target, drift: Drift): Promise<void> {
  const key = `${subject.kind} ${nameOf(subject)}`;
  if (recorded.drifted.has(key)) return;
  recorded.drifted.add(key);
  await record(core, recorded, {
    entry_type: "catalog_drift",
    tool_name: nameOf(subject),
    server_identity: approvedOf(subject).server.identity,
    policy_decision: "n/a",
    response_inspection_result: "n/a",
    detail: { drift, approved_digest: approvedOf(subject).driftDigest, drift_policy: core.config.catalog.drift_policy },
  }).stored;
}

/** Puts a call's intent in the host's store and waits for it: nothing leaves before that. */
export async function recordIntent(
  core: Core,
  recorded: RecordedSession,
  intent: Omit<Intent, "session_id" | "tip_before">,
): Promise<void> {
  const { session, chain } = recorded;
  await core.journal.append(session.id, {
    kind: "intent",
    body: { ...intent, session_id: session.id, tip_before: chain.tip },
  });
}

/** What every root entry says about the instance the session lives in. */
export function rootDetail(core: Core, principal: string): Record<string, string | number> {
  return {
    instance: core.instance,
    principal,
    policy_hash: core.policy.bundle.hash,
    policy_version: core.policy.bundle.version,
    catalog_hash: core.catalog.hash,
    enforcement_mode: core.config.attestation.enforcement_mode,
    launch_digest: core.launchDigest,
    platform: core.platform,
    isolation: core.isolation,
    channel: "plain",
    session_isolation: "gateway",
  };
}

/** Makes sure the session's root entry exists and is stored. @throws CmcpError `AUDIT_STORE_UNAVAILABLE` until it is */
export async function ensureStarted(core: Core, recorded: RecordedSession): Promise<void> {
  recorded.started ??= record(core, recorded, {
    entry_type: "session_start",
    policy_decision: "n/a",
    response_inspection_result: "n/a",
    session_sensitivity_after: recorded.session.sensitivity,
    detail: { ...rootDetail(core, recorded.session.principalId), ...recorded.openedBy },
  }).stored;
  try {
    await recorded.started;
  } catch (thrown) {
    // The host was late with it. The journal offers it until the host has it, and then the session is like any other.
    if (asCmcpError(thrown, "INTERNAL", "the session could not be started").code !== "AUDIT_STORE_UNAVAILABLE")
      throw thrown;
    core.journal.assertCaughtUp();
  }
}
