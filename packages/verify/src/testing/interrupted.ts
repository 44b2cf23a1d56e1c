import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { jwkThumbprintText } from "@cmcp/attestation";
import {
  bodyHash,
  ENTRY_TYPES,
  handOverLeaf,
  operatorSigningInput,
  RECEIPT_V2,
  receiptLeaf,
  SessionChain,
  type AuditEntry,
  type EntryFields,
  type EntryType,
  type HandOver,
  type IncompleteSession,
} from "@cmcp/audit";
import { canonicalBytes } from "@cmcp/boundary";
import type { Instance } from "./instance.ts";
import { CATALOG_HASH, ISSUED_AT, OTHER_HASH, POLICY_HASH } from "./session.ts";

/** Kinds of entries that may stand between a session's first and last one, but for calls and for answers, which need their approvers. */
export const INNER_TYPES: readonly EntryType[] = ENTRY_TYPES.filter(
  (type) => !["session_start", "session_end", "tool_call", "approval"].includes(type),
);

const operator = generateKeyPairSync("ed25519");

/** An operator's reset of exactly this place of a chain. */
export function resetAt(instance: Instance, chain: SessionChain, sequence: number): EntryFields {
  const reason = "looked at";
  const statement = {
    v: 1,
    purpose: "session-reset",
    session_id: chain.sessionId,
    chain_tip: chain.tip,
    instance: instance.name,
    sequence,
    reason,
  } as const;
  return {
    entry_type: "session_reset",
    session_sensitivity_after: "public",
    detail: {
      closed_session_id: chain.sessionId,
      successor_session_id: randomUUID(),
      operator_key: operator.publicKey.export({ format: "jwk" }).x ?? "",
      operator_signature: sign(null, operatorSigningInput(statement), operator.privateKey).toString("base64url"),
      sequence,
      reason,
    },
  };
}

/** An entry of any kind as a gateway writes it, for the end of this chain. */
export function fieldsOf(instance: Instance, chain: SessionChain, type: EntryType): EntryFields {
  if (type === "session_reset") return resetAt(instance, chain, chain.length);
  if (type === "policy_load")
    return {
      entry_type: type,
      detail: { policy_hash: POLICY_HASH, policy_version: "2.0.0", previous_policy_hash: POLICY_HASH },
    };
  if (type !== "tool_call") return { entry_type: type, detail: { policy_hash: POLICY_HASH } };
  return {
    entry_type: type,
    call_id: `call-${chain.length}`,
    tool_name: "echo",
    policy_decision: "allow",
    detail: { policy_hash: POLICY_HASH },
  };
}

/** A session that a crash interrupted: a call, an entry of every kind, a call, and again an entry of every kind that no receipt covers. */
export function interruptedSession(instance: Instance, root: Record<string, string> = {}): IncompleteSession {
  let time = ISSUED_AT * 1000;
  const chain = new SessionChain(randomUUID(), () => (time += 1000));
  const detail = {
    policy_hash: POLICY_HASH,
    catalog_hash: CATALOG_HASH,
    enforcement_mode: "enforcing",
    launch_digest: OTHER_HASH,
    isolation: "network-namespace",
    channel: "plain",
    instance: instance.name,
    ...root,
  };
  const entries: AuditEntry[] = [chain.append({ entry_type: "session_start", detail })];
  const kinds: EntryType[] = ["tool_call", ...INNER_TYPES, "tool_call", ...INNER_TYPES, "session_end"];
  for (const type of kinds) entries.push(chain.append(fieldsOf(instance, chain, type)));
  return {
    session_id: chain.sessionIds[0],
    incomplete: true,
    signing_key: { kty: "OKP", crv: "Ed25519", x: instance.jwk.x },
    entries,
    receipts: instance.receiptsOf(entries),
  };
}

/** How an instance begins. */
export function handOverOf({ jwk }: Instance): HandOver {
  return {
    jwk,
    gateway_version: "0.1.0",
    policy_hash: POLICY_HASH,
    catalog_hash: CATALOG_HASH,
    launch_digest: OTHER_HASH,
    platform: "tpm2",
    measurement: OTHER_HASH,
    boot_time: new Date(ISSUED_AT * 1000).toISOString(),
    history: { state: "complete" },
    predecessor: null,
    evidence: { format: "test", parts: [{ name: "quote", value: "AAAA" }] },
  };
}

/** The leaf of a hand-over. */
export function leafOf(body: HandOver): Uint8Array {
  return handOverLeaf(jwkThumbprintText(body.jwk), bodyHash(canonicalBytes(body)));
}

/** The same export as another instance makes it that continues the log: its notes cover hand-over and last decision. */
export function answeredBy(answering: Instance, writer: Instance, left: IncompleteSession): IncompleteSession {
  const body = handOverOf(writer);
  const last = left.receipts.filter((receipt) => receipt.v !== RECEIPT_V2).at(-1);
  if (last === undefined) throw new Error("no call has a receipt");
  const { log: _, ...decided } = last;
  const leaves = [leafOf(body), receiptLeaf(decided), leafOf(handOverOf(answering))];
  const [begun, decision] = answering.logged(leaves);
  if (begun === undefined || decision === undefined) throw new Error("the log has no place for them");
  return {
    ...left,
    signing_key: answering.jwk,
    hand_over: { body, log: begun },
    receipts: [{ ...decided, log: decision }],
  };
}
