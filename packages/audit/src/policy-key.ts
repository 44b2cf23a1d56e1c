import * as z from "zod";
import type { AuditEntry } from "./entry.ts";
import { signatureMembers, statementMembers } from "./operator-statement.ts";

/** `detail.reason` of a `break_glass_used` entry that changes the policy signing keys, by the statement's purpose. */
export const POLICY_KEY_REASONS = {
  "policy-key-succeed": "policy_key_succeeded",
  "policy-key-revoke": "policy_key_revoked",
} as const;

const publicKey = signatureMembers.key;

/** What an operator says of a policy signing key: another follows it, or nothing that it signed is trusted. */
export const policyKeyStatementSchema = z.discriminatedUnion("purpose", [
  z.strictObject({
    ...statementMembers,
    purpose: z.literal("policy-key-succeed"),
    /** The present key, Ed25519, 32 bytes, base64url. */
    policy_key: publicKey,
    /** The key that follows it. */
    next_key: publicKey,
  }),
  z.strictObject({ ...statementMembers, purpose: z.literal("policy-key-revoke"), policy_key: publicKey }),
]);
/** What an operator signs about policy signing keys. */
export type PolicyKeyStatement = z.infer<typeof policyKeyStatementSchema>;

/** Such a statement as it travels. A succession has the present key's signature over the same bytes beside the operator's. */
export const signedPolicyKeySchema = z
  .strictObject({
    statement: policyKeyStatementSchema,
    ...signatureMembers,
    present_signature: signatureMembers.signature.optional(),
  })
  .refine(
    ({ statement, present_signature: present }) =>
      (statement.purpose === "policy-key-succeed") === (present !== undefined),
    { path: ["present_signature"], error: "is there with a succession, and only there" },
  );
/** Such a statement with its signatures. */
export type SignedPolicyKey = z.infer<typeof signedPolicyKeySchema>;

/** Members of the detail of an entry that records such a statement. With the instance they are the whole signed statement. */
export function policyKeyDetail(signed: SignedPolicyKey): Record<string, string | number> {
  const { statement, key, signature, present_signature: present } = signed;
  return {
    reason: POLICY_KEY_REASONS[statement.purpose],
    policy_key: statement.policy_key,
    ...("next_key" in statement ? { next_key: statement.next_key } : {}),
    operator_reason: statement.reason,
    authorized_by: key,
    credential_verified: "operator_signature",
    operator_signature: signature,
    ...(present === undefined ? {} : { present_signature: present }),
    sequence: statement.sequence,
  };
}

/** Whether an entry records such a statement. */
export function isPolicyKeyEntry({ entry_type: type, detail }: AuditEntry): boolean {
  const reasons: readonly unknown[] = Object.values(POLICY_KEY_REASONS);
  return type === "break_glass_used" && reasons.includes(detail?.["reason"]);
}

/** The statement that an entry records, to be verified; `null` if it has none of this form. */
export function policyKeyStatementOf(entry: AuditEntry, instance: unknown): SignedPolicyKey | null {
  if (!isPolicyKeyEntry(entry)) return null;
  const detail = entry.detail ?? {};
  const succeeds = detail["reason"] === POLICY_KEY_REASONS["policy-key-succeed"];
  const parsed = signedPolicyKeySchema.safeParse({
    statement: {
      v: 1,
      purpose: succeeds ? "policy-key-succeed" : "policy-key-revoke",
      instance,
      policy_key: detail["policy_key"],
      ...(succeeds ? { next_key: detail["next_key"] } : {}),
      sequence: detail["sequence"],
      reason: detail["operator_reason"],
    },
    key: detail["authorized_by"],
    signature: detail["operator_signature"],
    ...(succeeds ? { present_signature: detail["present_signature"] } : {}),
  });
  return parsed.success ? parsed.data : null;
}
