import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import {
  ENTRY_TYPES,
  operatorSigningInput,
  SessionChain,
  type AuditEntry,
  type EntryFields,
  type EntryType,
  type IncompleteSession,
} from "@cmcp/audit";
import type { Instance } from "./instance.ts";
import { CATALOG_HASH, ISSUED_AT, OTHER_HASH, POLICY_HASH } from "./session.ts";

/** Kinds of entries that may stand between a session's first and last one, calls apart. */
export const INNER_TYPES: readonly EntryType[] = ENTRY_TYPES.filter(
  (type) => !["session_start", "session_end", "tool_call"].includes(type),
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
    session_id: chain.sessionId,
    incomplete: true,
    signing_key: { kty: "OKP", crv: "Ed25519", x: instance.jwk.x },
    entries,
    receipts: instance.receiptsOf(entries),
  };
}
