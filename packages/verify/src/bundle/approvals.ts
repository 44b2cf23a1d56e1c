import { ANSWER_FORMAT, verifyAnswer, type ApprovalAnswer, type Approver, type SignedAnswer } from "@cmcp/approval";
import type { AuditEntry } from "@cmcp/audit/schema";
import { CmcpError } from "@cmcp/boundary";
import type { ApprovedCall } from "../approved-call.ts";
import type { Checklist } from "../checklist.ts";
import type { VerifierCrypto } from "../crypto.ts";
import { isDisclosure } from "./disclosures.ts";
import { MeasuredApprovers, signatureIn } from "./measured-approvers.ts";

/** Most approvals that are remembered before they are used. An enclave holds fewer. */
const MAX_WAITING = 4_096;
/** Most approvals that are remembered once they were used: requests about the task of a call name them. */
const MAX_USED = 65_536;
/** Most calls that a verdict names, and most that a check does. */
const MAX_CALLS = 1_000;
const MAX_NAMED = 16;

/** What a refused call waits for, and who answered. */
interface Waiting {
  readonly request: string;
  readonly needed: number;
  readonly approvers: readonly string[];
  readonly policy: unknown;
  readonly tool: string | null;
  readonly given: Set<string>;
  denied: boolean;
}

/**
 * Each answer in the record is signed by an approver that the session's start names, over the request of a call that was refused before.
 * Each call that was let through under approvals has as many as it needed, by distinct approvers, and each approval is used once.
 */
export class ApprovalFold {
  readonly #crypto: VerifierCrypto;
  #measured = new MeasuredApprovers();
  readonly #waiting = new Map<string, Waiting>();
  /** What each used approval let through. */
  readonly #used = new Map<string, Pick<Waiting, "policy" | "tool">>();
  readonly #problems: string[] = [];
  readonly #calls: ApprovedCall[] = [];
  #count = 0;
  #answers = 0;

  constructor(crypto: VerifierCrypto) {
    this.#crypto = crypto;
  }

  async add(entry: AuditEntry): Promise<void> {
    const { entry_type: type, detail } = entry;
    if (type === "session_start") this.#measured = new MeasuredApprovers(detail?.["approvers"]);
    if (type === "approval" && !isDisclosure(entry)) await this.#addAnswer(entry);
    if (type === "tool_call" && detail?.["approval_continued"] !== undefined) this.#addContinued(entry);
    if (type !== "tool_call" || detail?.["approval_id"] === undefined) return;
    const { approval_id: id, approval_used: used = id, approved_by: said } = detail;
    const isRefused = entry.policy_decision === "step_up" || entry.policy_decision === "deny";
    if (said !== undefined || !isRefused) this.#addCall(entry, used);
    if (entry.policy_decision === "step_up") this.#addWaiting(entry);
  }

  /** The calls that were let through, the first of them where they are many. */
  get calls(): readonly ApprovedCall[] {
    return this.#calls;
  }

  report(list: Checklist): void {
    if (this.#count === 0 && this.#answers === 0 && this.#problems.length === 0) return;
    const named = this.#calls.slice(0, MAX_NAMED).map(textOf);
    const more = this.#count > named.length ? "; and others" : "";
    list.require("approvals", this.#problems.length === 0, "APPROVAL_NOT_PROVEN", {
      passed: `${this.#answers} answers, each signed; ${this.#count} calls let through${named.length === 0 ? "" : `: ${named.join("; ")}${more}`}`,
      failed: this.#problems.join("; "),
    });
  }

  #addWaiting(entry: AuditEntry): void {
    const { approval_id: id, approval_request: request, approvals_needed: needed, approvers } = entry.detail ?? {};
    const isWhole = typeof request === "string" && typeof needed === "number" && typeof approvers === "string";
    if (typeof id !== "string" || !isWhole) return this.#fail(entry, "it does not say what it waits for");
    const known = this.#waiting.get(id);
    if (known !== undefined) {
      if (known.request !== request || known.needed !== needed || known.approvers.join(",") !== approvers)
        this.#fail(entry, "it waits for another request under the same approval");
      return;
    }
    this.#waiting.set(id, {
      request,
      needed,
      approvers: approvers.split(","),
      policy: entry.detail?.["policy_hash"],
      tool: entry.tool_name,
      given: new Set(),
      denied: false,
    });
    const [oldest = ""] = this.#waiting.keys();
    if (this.#waiting.size > MAX_WAITING) this.#waiting.delete(oldest);
  }

  async #addAnswer(entry: AuditEntry): Promise<void> {
    this.#answers += 1;
    const answered = answerIn(entry);
    if (answered === null) return this.#fail(entry, "it is no signed answer");
    const { approver, signed } = answered;
    const { answer } = signed;
    const waiting = this.#waiting.get(answer.approval_id);
    if (waiting?.request !== answer.request_hash) return this.#fail(entry, "no call waited for it");
    if (!(await this.#measured.has(this.#crypto, approver)))
      return this.#fail(entry, "the session's start does not name this approver");
    if (!waiting.approvers.includes(approver.id)) return this.#fail(entry, "the approver was not asked");
    if (!(await this.#isSigned(approver, signed))) return this.#fail(entry, "the approver did not sign it");
    // An answer whose entry was late is given again. It is one approver's all the same.
    if (answer.decision === "deny") waiting.denied = true;
    waiting.given.add(approver.id);
  }

  async #isSigned(approver: Approver, signed: SignedAnswer): Promise<boolean> {
    try {
      await verifyAnswer(this.#crypto, approver, signed);
      return true;
    } catch (thrown) {
      if (thrown instanceof CmcpError) return false;
      throw thrown;
    }
  }

  #addCall(entry: AuditEntry, ids: unknown): void {
    this.#count += 1;
    const { approved_by: said, policy_hash: policy } = entry.detail ?? {};
    const approvals = String(ids)
      .split(",")
      .map((id) => ({ id, waiting: this.#waiting.get(id) }));
    for (const { id, waiting } of approvals) {
      if (waiting === undefined) return this.#fail(entry, `approval ${id} is none, or was used before`);
      this.#waiting.delete(id);
      this.#use(id, waiting);
      if (waiting.denied) return this.#fail(entry, `approval ${id} was denied`);
      if (waiting.given.size < waiting.needed) return this.#fail(entry, `approval ${id} has too few approvers`);
      if (waiting.policy !== policy || waiting.tool !== entry.tool_name)
        return this.#fail(entry, `approval ${id} is of another call or policy`);
    }
    const used = approvals.map(({ id, waiting }) => ({ approval_id: id, approvers: [...(waiting?.given ?? [])] }));
    if (said !== [...new Set(used.flatMap(({ approvers }) => approvers))].join(","))
      return this.#fail(entry, "it names other approvers than those who approved");
    if (this.#calls.length < MAX_CALLS)
      this.#calls.push({ call_id: entry.call_id, tool_name: entry.tool_name, approvals: used });
  }

  #use(id: string, { policy, tool }: Waiting): void {
    this.#used.set(id, { policy, tool });
    const [oldest = ""] = this.#used.keys();
    if (this.#used.size > MAX_USED) this.#used.delete(oldest);
  }

  /** A request about a task needs no approval of its own where the call that made the task had one. */
  #addContinued(entry: AuditEntry): void {
    const { approval_continued: ids, policy_hash: policy } = entry.detail ?? {};
    for (const id of String(ids).split(",")) {
      const used = this.#used.get(id);
      if (used === undefined) return this.#fail(entry, `it goes on under approval ${id}, which no call had`);
      if (used.policy !== policy || used.tool !== entry.tool_name)
        return this.#fail(entry, `it goes on under approval ${id}, which is of another call or policy`);
    }
  }

  #fail({ sequence_number: number }: AuditEntry, why: string): void {
    if (this.#problems.length < MAX_NAMED) this.#problems.push(`entry ${number}: ${why}`);
  }
}

function textOf({ tool_name: tool, approvals }: ApprovedCall): string {
  const by = new Set(approvals.flatMap(({ approvers }) => approvers));
  return `${tool ?? "a call"} by ${[...by].join(", ")}`;
}

/** The answer that an entry records, and the approver that it names; `null` where it is none. */
function answerIn(entry: AuditEntry): { readonly approver: Approver; readonly signed: SignedAnswer } | null {
  const said = entry.detail ?? {};
  const found = signatureIn(entry);
  const { approval_id, approval_request: request_hash, approver: name, approval_decision: decision } = said;
  const { approval_reason: reason } = said;
  const isAnswer =
    typeof approval_id === "string" &&
    typeof request_hash === "string" &&
    typeof name === "string" &&
    (decision === "approve" || decision === "deny") &&
    (reason === undefined || typeof reason === "string");
  if (found === null || !isAnswer) return null;
  const answer: ApprovalAnswer = {
    format: ANSWER_FORMAT,
    approval_id,
    request_hash,
    approver: name,
    decision,
    ...(reason === undefined ? {} : { reason }),
  };
  return { approver: found.approver, signed: { answer, ...found.by } };
}
