import * as z from "zod";
import type { AuditEntry } from "./entry.ts";
import { signatureMembers, statementMembers } from "./operator-statement.ts";

/** `detail.reason` of a `break_glass_used` entry that the kill switch caused. */
export const KILL_SWITCH_REASONS = {
  tripped: "kill_switch_triggered",
  operatorTrip: "kill_switch_operator_trip",
  unblocked: "kill_switch_unblocked",
} as const;

/** What an operator says of a principal: it is stopped, or may go on. */
export const killSwitchStatementSchema = z.strictObject({
  ...statementMembers,
  purpose: z.enum(["kill-switch-trip", "kill-switch-unblock"]),
  principal: z.string().min(1).max(1024),
});
/** What an operator signs to trip the kill switch, or to lift it. */
export type KillSwitchStatement = z.infer<typeof killSwitchStatementSchema>;

/** Such a statement as it travels. */
export const signedKillSwitchSchema = z.strictObject({ statement: killSwitchStatementSchema, ...signatureMembers });
/** Such a statement with the key and signature of the operator. */
export type SignedKillSwitch = z.infer<typeof signedKillSwitchSchema>;

/**
 * Members of the detail of an entry that records such a statement. With the instance they are the whole signed statement, so that anybody
 * can verify it again.
 */
export function killSwitchDetail({ statement, key, signature }: SignedKillSwitch): Record<string, string | number> {
  const { purpose, principal, sequence, reason } = statement;
  return {
    reason: purpose === "kill-switch-trip" ? KILL_SWITCH_REASONS.operatorTrip : KILL_SWITCH_REASONS.unblocked,
    agent_id: principal,
    operator_reason: reason,
    authorized_by: key,
    credential_verified: "operator_signature",
    operator_signature: signature,
    sequence,
  };
}

/** What an entry says of the kill switch: which principal, and whether it is blocked from here on. `null` for any other entry. */
export function killSwitchEvent(
  entry: AuditEntry,
): { readonly principal: string; readonly kind: keyof typeof KILL_SWITCH_REASONS } | null {
  if (entry.entry_type !== "break_glass_used") return null;
  const { reason, agent_id: principal } = entry.detail ?? {};
  if (typeof principal !== "string") return null;
  const kind = (Object.keys(KILL_SWITCH_REASONS) as (keyof typeof KILL_SWITCH_REASONS)[]).find(
    (name) => KILL_SWITCH_REASONS[name] === reason,
  );
  return kind === undefined ? null : { principal, kind };
}

/** The statement that an entry records, to be verified; `null` if it has none of this form. */
export function killSwitchStatementOf(entry: AuditEntry, instance: unknown): SignedKillSwitch | null {
  const event = killSwitchEvent(entry);
  if (event === null || event.kind === "tripped") return null;
  const detail = entry.detail ?? {};
  const parsed = signedKillSwitchSchema.safeParse({
    statement: {
      v: 1,
      purpose: event.kind === "unblocked" ? "kill-switch-unblock" : "kill-switch-trip",
      instance,
      principal: event.principal,
      sequence: detail["sequence"],
      reason: detail["operator_reason"],
    },
    key: detail["authorized_by"],
    signature: detail["operator_signature"],
  });
  return parsed.success ? parsed.data : null;
}
