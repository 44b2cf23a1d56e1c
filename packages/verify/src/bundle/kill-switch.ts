import {
  isPolicyKeyEntry,
  killSwitchEvent,
  killSwitchStatementOf,
  operatorSigningInput,
  policyKeyStatementOf,
  type AuditEntry,
  type OperatorStatement,
} from "@cmcp/audit/schema";
import { CallSummaryBuilder, type Claim } from "@cmcp/claim/schema";
import type { Checklist } from "../checklist.ts";
import { verifyEd25519, type VerifierCrypto } from "../crypto.ts";

/** The statement that an entry records, if it is of the kill switch or of policy signing keys; `undefined` for any other entry. */
function statementOf(entry: AuditEntry, instance: unknown): OperatorStatement | null | undefined {
  if (isPolicyKeyEntry(entry)) return policyKeyStatementOf(entry, instance);
  const event = killSwitchEvent(entry);
  return event === null || event.kind === "tripped" ? undefined : killSwitchStatementOf(entry, instance);
}

/** Every trip and unblock by an operator, and every change of policy signing keys, carries the signature of the operator it names, for this instance. */
export async function checkOperatorStatements(
  crypto: VerifierCrypto,
  entries: readonly AuditEntry[],
  list: Checklist,
): Promise<void> {
  const instance = entries[0]?.detail?.["instance"];
  const unsigned: number[] = [];
  const keys = new Set<string>();
  for (const entry of entries) {
    const signed = statementOf(entry, instance);
    if (signed === undefined) continue;
    const input = signed === null ? null : operatorSigningInput(signed.statement);
    if (signed !== null && input !== null && (await verifyEd25519(crypto, signed.key, signed.signature, input)))
      keys.add(signed.key);
    else unsigned.push(entry.sequence_number);
  }
  if (keys.size + unsigned.length === 0) return;
  list.require("operator statements", unsigned.length === 0, "SIGNATURE_INVALID", {
    passed: `signed by ${[...keys].join(", ")}; whether these are operators is for you to know`,
    failed: `entry ${unsigned.join(", ")}: no operator's signature over this statement`,
  });
}

/** The claim says that the kill switch stopped the session exactly if an entry does, and names what tripped it. */
export function checkKillSwitch({ gateway }: Claim, entries: readonly AuditEntry[], list: Checklist): void {
  const fold = new CallSummaryBuilder();
  for (const entry of entries) fold.add(entry);
  const { killSwitchTrigger: trigger } = fold.finish();
  const said = gateway.kill_switch?.trigger ?? null;
  const agrees = gateway.kill_switch_triggered === (trigger !== null) && said === trigger;
  list.require("kill switch", agrees, "CLAIM_INCONSISTENT", {
    passed: trigger === null ? "it did not stop the session" : `it stopped the session: ${trigger}`,
    failed: "claim and entries differ on whether the kill switch stopped the session",
  });
}
