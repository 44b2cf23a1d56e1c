import { resetDetailSchema, operatorSigningInput, resetStatementSchema, type AuditEntry } from "@cmcp/audit/schema";
import type { Checklist } from "../checklist.ts";
import { verifyEd25519, type VerifierCrypto } from "../crypto.ts";
import { OperatorSignatures } from "./operator-signatures.ts";

/** Every reset of the session's sensitivity carries the signature of the operator it names, over exactly this position in the chain. */
export class ResetFold {
  readonly #crypto: VerifierCrypto;
  readonly #signatures = new OperatorSignatures();
  #root: AuditEntry | undefined;

  constructor(crypto: VerifierCrypto) {
    this.#crypto = crypto;
  }

  async add(entry: AuditEntry): Promise<void> {
    this.#root ??= entry;
    if (entry.entry_type !== "session_reset") return;
    const key = await signerOf(this.#crypto, entry, this.#root.detail?.["instance"]);
    this.#signatures.add(entry.sequence_number, key);
  }

  report(list: Checklist): void {
    const { count, isSigned, keys, unsigned } = this.#signatures;
    if (count === 0) return;
    list.require("operator resets", isSigned, "SIGNATURE_INVALID", {
      passed: `${count}, signed by ${keys}; whether these are operators is for you to know`,
      failed: `entry ${unsigned}: no operator's signature over this reset`,
    });
  }
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
