import {
  isPolicyKeyEntry,
  killSwitchEvent,
  killSwitchStatementOf,
  operatorSigningInput,
  policyKeyStatementOf,
  type AuditEntry,
  type OperatorStatement,
} from "@cmcp/audit/schema";
import type { CallFacts, Claim } from "@cmcp/claim/schema";
import type { Checklist } from "../checklist.ts";
import { verifyEd25519, type VerifierCrypto } from "../crypto.ts";
import { OperatorSignatures } from "./operator-signatures.ts";

/** The statement that an entry records, if it is of the kill switch or of policy signing keys; `undefined` for any other entry. */
function statementOf(entry: AuditEntry, instance: unknown): OperatorStatement | null | undefined {
  if (isPolicyKeyEntry(entry)) return policyKeyStatementOf(entry, instance);
  const event = killSwitchEvent(entry);
  return event === null || event.kind === "tripped" ? undefined : killSwitchStatementOf(entry, instance);
}

/**
 * Every trip and unblock by an operator, and every change of policy signing keys, carries the signature of the
 * operator it names, for this instance.
 */
export class OperatorStatementFold {
  readonly #crypto: VerifierCrypto;
  readonly #signatures = new OperatorSignatures();
  #root: AuditEntry | undefined;

  constructor(crypto: VerifierCrypto) {
    this.#crypto = crypto;
  }

  async add(entry: AuditEntry): Promise<void> {
    this.#root ??= entry;
    const signed = statementOf(entry, this.#root.detail?.["instance"]);
    if (signed === undefined) return;
    const input = signed === null ? null : operatorSigningInput(signed.statement);
    const verifies =
      signed !== null && input !== null && (await verifyEd25519(this.#crypto, signed.key, signed.signature, input));
    this.#signatures.add(entry.sequence_number, verifies ? signed.key : null);
  }

  report(list: Checklist): void {
    const { count, isSigned, keys, unsigned } = this.#signatures;
    if (count === 0) return;
    list.require("operator statements", isSigned, "SIGNATURE_INVALID", {
      passed: `signed by ${keys}; whether these are operators is for you to know`,
      failed: `entry ${unsigned}: no operator's signature over this statement`,
    });
  }
}

/** The claim says that the kill switch stopped the session exactly if an entry does, and names what tripped it. */
export function checkKillSwitch({ gateway }: Claim, { killSwitchTrigger: trigger }: CallFacts, list: Checklist): void {
  const said = gateway.kill_switch?.trigger ?? null;
  const agrees = gateway.kill_switch_triggered === (trigger !== null) && said === trigger;
  list.require("kill switch", agrees, "CLAIM_INCONSISTENT", {
    passed: trigger === null ? "it did not stop the session" : `it stopped the session: ${trigger}`,
    failed: "claim and entries differ on whether the kill switch stopped the session",
  });
}
