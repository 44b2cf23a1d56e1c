import * as z from "zod";
import { signatureMembers, statementMembers } from "./operator-statement.ts";

/**
 * What an operator says: this session, with everything up to this entry, is looked at, and its principal starts again.
 */
export const resetStatementSchema = z.strictObject({
  ...statementMembers,
  purpose: z.literal("session-reset"),
  session_id: z.uuid(),
  /** Hash of the session's last entry: what came after it, the operator has not seen. */
  chain_tip: z.string().regex(/^[0-9a-f]{64}$/),
});
/** What an operator signs to reset a session. */
export type ResetStatement = z.infer<typeof resetStatementSchema>;

/** A reset statement as it travels. */
export const signedResetSchema = z.strictObject({ statement: resetStatementSchema, ...signatureMembers });
/** A reset statement with the key and signature of the operator. */
export type SignedReset = z.infer<typeof signedResetSchema>;

/**
 * Members of a `session_reset` detail. With the entry's session, the entry before it and the root entry's
 * instance they are the whole signed statement, so that anybody can verify it again. The reset closes the session that the
 * entry is of, and names the one to which the entries behind it belong.
 */
export const resetDetailSchema = z.looseObject({
  closed_session_id: z.uuid(),
  successor_session_id: z.uuid(),
  operator_key: signatureMembers.key,
  operator_signature: signatureMembers.signature,
  sequence: statementMembers.sequence,
  reason: statementMembers.reason,
});
