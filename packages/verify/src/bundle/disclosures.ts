import {
  readPermission,
  recipientOf,
  sourceScopeOf,
  verifyPermission,
  type Approver,
  type DisclosurePermission,
  type RecordedPermission,
} from "@cmcp/approval";
import type { AuditEntry } from "@cmcp/audit/schema";
import { CmcpError, untrusted } from "@cmcp/boundary";
import type { Checklist } from "../checklist.ts";
import type { VerifierCrypto } from "../crypto.ts";
import type { PermittedDisclosure } from "../permitted-disclosure.ts";
import { MeasuredApprovers, signatureIn } from "./measured-approvers.ts";

/** Most uses that are remembered until their calls end. An enclave has fewer calls at a time. */
const MAX_WAITING = 4_096;
/** Most permissions of a session whose use is remembered. */
const MAX_USED = 100_000;
/** Most calls that a verdict names, and most that a check does. */
const MAX_CALLS = 1_000;
const MAX_NAMED = 16;

/** Whether an entry is about an owner's permission. */
export function isDisclosure({ detail }: AuditEntry): boolean {
  return detail?.["disclosure_permission"] !== undefined;
}

/**
 * Each permission in the record is signed by an owner that the session's start names. Each call that one let through is of the agent, the
 * recipient, the purpose, the rule, the policy and the bytes that it says, within its time, and no permission is used twice.
 */
export class DisclosureFold {
  readonly #crypto: VerifierCrypto;
  #measured = new MeasuredApprovers();
  #instance: unknown;
  #principal: unknown;
  /** Permissions that are used, by the call that uses them. */
  readonly #using = new Map<string, DisclosurePermission>();
  readonly #used = new Set<string>();
  readonly #problems: string[] = [];
  readonly #calls: PermittedDisclosure[] = [];
  #permissions = 0;
  #count = 0;

  constructor(crypto: VerifierCrypto) {
    this.#crypto = crypto;
  }

  async add(entry: AuditEntry): Promise<void> {
    const { entry_type: type, detail } = entry;
    if (type === "session_start") {
      this.#measured = new MeasuredApprovers(detail?.["approvers"]);
      [this.#instance, this.#principal] = [detail?.["instance"], detail?.["principal"]];
    }
    if (type === "approval" && isDisclosure(entry)) await this.#addPermission(entry);
    if (type === "tool_call" && detail?.["disclosure_id"] !== undefined) this.#addCall(entry);
  }

  /** The calls that were let through, the first of them where they are many. */
  get calls(): readonly PermittedDisclosure[] {
    return this.#calls;
  }

  report(list: Checklist): void {
    if (this.#count === 0 && this.#permissions === 0) return;
    const named = this.#calls.slice(0, MAX_NAMED).map(({ owner, recipient }) => `to ${recipient} by ${owner}`);
    const more = this.#count > named.length ? "; and others" : "";
    list.require("disclosures", this.#problems.length === 0, "DISCLOSURE_NOT_PROVEN", {
      passed: `${this.#permissions} permissions, each signed; ${this.#count} calls let through${named.length === 0 ? "" : `: ${named.join("; ")}${more}`}`,
      failed: this.#problems.join("; "),
    });
  }

  /** A permission that arrived, or that a call uses. */
  async #addPermission(entry: AuditEntry): Promise<void> {
    this.#permissions += 1;
    const found = permissionIn(entry);
    if (found === null) return this.#fail(entry, "it is no signed permission");
    const { owner, signed } = found;
    if (!(await this.#measured.has(this.#crypto, owner)))
      return this.#fail(entry, "the session's start does not name this owner");
    if (!(await this.#isSigned(owner, signed))) return this.#fail(entry, "the owner did not sign it");
    const { call_id: call } = entry;
    if (call === null) return;
    const why = this.#misuse(entry, signed.permission);
    if (why !== null) return this.#fail(entry, why);
    this.#used.add(signed.permission.request_id);
    this.#using.set(call, signed.permission);
    const [oldest = ""] = this.#using.keys();
    if (this.#using.size > MAX_WAITING) this.#using.delete(oldest);
  }

  /** Why a permission may not be used by the call of this entry, as far as the session says; `null` if it may. */
  #misuse({ timestamp_utc: at, detail }: AuditEntry, permission: DisclosurePermission): string | null {
    const { request_id: id, not_before: from, expires_at: to, workload, labels } = permission;
    if (this.#used.has(id)) return "the permission was used before";
    if (this.#used.size >= MAX_USED) return "it is one of too many permissions";
    if (workload !== this.#principal) return "the permission is for another agent";
    const now = Date.parse(at);
    if (now < from * 1_000 || now >= to * 1_000) return "the permission is not of that time";
    const said = detail?.["disclosed_compartments"] ?? "";
    const seen = said === "" ? [] : String(said).split(",");
    return seen.every((label) => labels.includes(label)) ? null : "the permission does not name all that was seen";
  }

  async #isSigned(owner: Approver, signed: RecordedPermission): Promise<boolean> {
    try {
      await verifyPermission(this.#crypto, owner, signed);
      return true;
    } catch (thrown) {
      if (thrown instanceof CmcpError) return false;
      throw thrown;
    }
  }

  #addCall(entry: AuditEntry): void {
    this.#count += 1;
    const { call_id: call, detail } = entry;
    const permission = this.#using.get(call ?? "");
    if (permission === undefined || permission.request_id !== detail?.["disclosure_id"])
      return this.#fail(entry, "no permission was recorded for this call");
    this.#using.delete(call ?? "");
    const why = this.#misfit(entry, permission);
    if (why !== null) return this.#fail(entry, why);
    const { request_id: id, principal: owner, recipient, purpose } = permission;
    if (this.#calls.length < MAX_CALLS)
      this.#calls.push({ call_id: call, disclosure_id: id, owner, recipient, purpose });
  }

  /** What of a call is not as its owner permitted it; `null` where all is. */
  #misfit(entry: AuditEntry, permission: DisclosurePermission): string | null {
    const { tool_name: tool, server_identity: server, workflow_id: workflow, detail } = entry;
    const { method, policy_hash, disclosed_by, disclosed_output } = detail ?? {};
    if (method !== undefined || permission.recipient !== recipientOf(server ?? "", tool ?? ""))
      return "it went to another recipient";
    if (disclosed_output !== permission.output_sha256) return "other bytes were sent";
    if (permission.purpose !== workflow) return "it was for another purpose";
    if (permission.policy_version !== policy_hash) return "it was decided under another policy";
    if (disclosed_by !== permission.principal) return "it names another owner";
    return this.#isInScope(entry, permission) ? null : "the permission is for another instance or rule";
  }

  #isInScope(
    { policy_decision: decision, policy_rule_matched: rule }: AuditEntry,
    { source_scope: scope }: DisclosurePermission,
  ): boolean {
    const instance = String(this.#instance);
    // A call that was sent may end by another rule, about its result, or as a fault.
    if (decision === "allow" || decision === "redact") return scope === sourceScopeOf(instance, rule ?? "");
    return scope.startsWith(sourceScopeOf(instance, ""));
  }

  #fail({ sequence_number: number }: AuditEntry, why: string): void {
    if (this.#problems.length < MAX_NAMED) this.#problems.push(`entry ${number}: ${why}`);
  }
}

/** The permission that an entry records, and its owner; `null` where it is none. */
function permissionIn(entry: AuditEntry): { readonly owner: Approver; readonly signed: RecordedPermission } | null {
  const found = signatureIn(entry);
  const { disclosure_permission: text, disclosure_id: id, approver } = entry.detail ?? {};
  if (found === null || typeof text !== "string") return null;
  try {
    const permission = readPermission(untrusted(new TextEncoder().encode(text)));
    if (permission.request_id !== id || permission.principal !== approver) return null;
    return { owner: found.approver, signed: { permission, ...found.by } };
  } catch (thrown) {
    if (thrown instanceof CmcpError) return null;
    throw thrown;
  }
}
