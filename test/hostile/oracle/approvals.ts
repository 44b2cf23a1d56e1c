import { readRecord, type AuditEntry } from "@cmcp/audit";
import { untrusted } from "@cmcp/boundary";
import type { KeptRecord } from "../host/kept.ts";
import type { Find } from "./finding.ts";

/** The tool whose calls a person has to approve. */
export const APPROVED_TOOL = "pay_invoice";

/** An answer of an approver that an instance recorded. */
interface RecordedAnswer {
  readonly instance: string;
  readonly decision: unknown;
}

/** Holds calls that a person has to approve to what the approver signed, and to what the record says of it. */
export class ApprovalOracle {
  /** Approvals that the approver signed, by the mark of the call that it was shown. */
  readonly #signed = new Map<string, Set<string>>();
  /** Approvals that the host said it holds. */
  readonly #stored = new Set<string>();
  readonly #recorded = new Map<string, RecordedAnswer>();
  /** Approvals that entries of sent calls name. */
  readonly #used = new Set<string>();
  /** Sessions of entries that an instance wrote for one before it. */
  readonly #recovered = new Set<string>();
  /** How often the server got each payment, by its mark. */
  readonly paid = new Map<string, number>();
  readonly #find: Find;

  constructor(find: Find) {
    this.#find = find;
  }

  /** The approver signs an approval of the call with this mark. */
  signs(mark: string, id: string): void {
    this.#signed.set(mark, (this.#signed.get(mark) ?? new Set()).add(id));
  }

  /** A call reached the server. It gets no more of one than were approved, each with the approval in the store. */
  reached(mark: string): void {
    const count = (this.paid.get(mark) ?? 0) + 1;
    this.paid.set(mark, count);
    const approved = [...(this.#signed.get(mark) ?? [])].filter((id) => this.#stored.has(id)).length;
    if (count > approved)
      this.#find("approval", `call ${count} of a payment reached the server on ${approved} recorded approvals`);
  }

  acknowledged(records: readonly KeptRecord[]): void {
    for (const { entry } of entriesIn(records))
      if (entry.entry_type === "approval" && entry.detail?.["approval_decision"] === "approve")
        this.#stored.add(String(entry.detail["approval_id"]));
  }

  arrived(records: readonly KeptRecord[]): void {
    for (const { instance, entry } of entriesIn(records)) {
      const { entry_type: type, session_id: session, detail } = entry;
      if (type === "session_start" && detail?.["recovered_instance"] !== undefined) this.#recovered.add(session);
      if (type === "approval") this.#answer(instance, entry);
      const sent = entry.policy_decision === "allow" && entry.tool_name === APPROVED_TOOL;
      if (type === "tool_call" && sent && !this.#recovered.has(session)) this.#call(instance, entry);
    }
  }

  #answer(instance: string, { detail }: AuditEntry): void {
    const id = String(detail?.["approval_id"]);
    if (this.#recorded.has(id)) this.#find("approval", "an approver's answer is in the record twice");
    this.#recorded.set(id, { instance, decision: detail?.["approval_decision"] });
  }

  #call(writer: string, { detail }: AuditEntry): void {
    const id = String(detail?.["approval_id"]);
    const { instance, decision } = this.#recorded.get(id) ?? {};
    if (decision !== "approve" || instance !== writer)
      this.#find("approval", "an allowed payment names no approval that its instance recorded before");
    if (this.#used.has(id)) this.#find("approval", "two allowed payments name one approval");
    this.#used.add(id);
  }
}

function entriesIn(records: readonly KeptRecord[]): { readonly instance: string; readonly entry: AuditEntry }[] {
  return records.flatMap(({ kind, leaf, body }) => {
    const record = kind === "entry" ? readRecord(untrusted(leaf), untrusted(body)) : null;
    return record?.kind === "entry" ? [{ instance: record.instance, entry: record.body }] : [];
  });
}
