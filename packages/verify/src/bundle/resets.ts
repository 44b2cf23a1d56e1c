import { resetDetailSchema, operatorSigningInput, resetStatementSchema, type AuditEntry } from "@cmcp/audit/schema";
import type { Checklist } from "../checklist.ts";
import { verifyEd25519, type VerifierCrypto } from "../crypto.ts";

/** Every reset of the session's sensitivity carries the signature of the operator it names, over exactly this position in the chain. */
export async function checkResets(
  crypto: VerifierCrypto,
  entries: readonly AuditEntry[],
  list: Checklist,
): Promise<void> {
  const resets = entries.filter((entry) => entry.entry_type === "session_reset");
  if (resets.length === 0) return;
  const instance = entries[0]?.detail?.["instance"];
  const unsigned: number[] = [];
  const keys = new Set<string>();
  for (const entry of resets) {
    const key = await signerOf(crypto, entry, instance);
    if (key === null) unsigned.push(entry.sequence_number);
    else keys.add(key);
  }
  list.require("operator resets", unsigned.length === 0, "SIGNATURE_INVALID", {
    passed: `${resets.length}, signed by ${[...keys].join(", ")}; whether these are operators is for you to know`,
    failed: `entry ${unsigned.join(", ")}: no operator's signature over this reset`,
  });
}

async function signerOf(crypto: VerifierCrypto, entry: AuditEntry, instance: unknown): Promise<string | null> {
  const detail = resetDetailSchema.safeParse(entry.detail);
  if (!detail.success) return null;
  const { operator_key: key, operator_signature: signature, sequence, reason } = detail.data;
  const statement = resetStatementSchema.safeParse({
    v: 1,
    purpose: "session-reset",
    session_id: entry.session_id,
    chain_tip: entry.prev_entry_hash,
    instance,
    sequence,
    reason,
  });
  if (!statement.success) return null;
  return (await verifyEd25519(crypto, key, signature, operatorSigningInput(statement.data))) ? key : null;
}
