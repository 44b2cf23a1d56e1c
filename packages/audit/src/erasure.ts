import * as z from "zod";
import { signatureMembers, statementMembers } from "./operator-statement.ts";

/** What an operator says: no auditor is to open this session from here on. */
export const erasureStatementSchema = z.strictObject({
  ...statementMembers,
  purpose: z.literal("session-key-erasure"),
  session_id: z.uuid(),
});
/** What an operator signs to have a session's key erased. */
export type ErasureStatement = z.infer<typeof erasureStatementSchema>;

/** Such a statement as it travels, and as the log records it. */
export const signedErasureSchema = z.strictObject({ statement: erasureStatementSchema, ...signatureMembers });
/** Such a statement with the key and signature of the operator. */
export type SignedErasure = z.infer<typeof signedErasureSchema>;
