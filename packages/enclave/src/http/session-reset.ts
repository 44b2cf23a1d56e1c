import { CmcpError } from "@cmcp/boundary";
import { signedResetSchema, type AuditEntry, type SignedReset } from "@cmcp/audit";
import type { HttpRequest, HttpResponse } from "@cmcp/mcp";
import type { Operators } from "../access/operators.ts";
import type { Journal } from "../record/journal.ts";
import type { PendingEntry, Recorder } from "../record/recorder.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import type { Sessions } from "../record/sessions.ts";
import { json } from "./json-response.ts";
import { readStatement } from "./operator-statement.ts";

/** What the reset endpoint needs. */
export interface ResetPorts {
  readonly instance: string;
  readonly operators: Operators;
  readonly journal: Pick<Journal, "assertWritable">;
  readonly sessions: Pick<Sessions, "forOperator" | "labelBeside" | "reset">;
  readonly recorder: Pick<Recorder, "note">;
  /** The policy in force. */
  readonly policy: { readonly bundle: { readonly hash: string } };
}

/** `/sessions/{id}/reset`. An operator's signature authenticates it, not a bearer token. */
export const RESET_PATH = /^\/sessions\/([0-9a-f-]{36})\/reset$/;

/** `POST /sessions/{id}/reset`: an operator's signed statement resets the session's principal to the lowest sensitivity. */
export async function resetSession(parts: ResetPorts, request: HttpRequest, id: string): Promise<HttpResponse> {
  const signed = await readStatement(request, signedResetSchema);
  parts.operators.authenticate(signed);
  parts.journal.assertWritable();
  const { entry, stored } = apply(parts, signed, id);
  await stored;
  return json(summary(entry));
}

/** Checks and applies a statement synchronously, so that no entry comes between the check of the chain's tip and the reset. */
function apply(parts: ResetPorts, signed: SignedReset, id: string): PendingEntry {
  const { statement } = signed;
  if (statement.instance !== parts.instance || statement.session_id !== id) {
    throw new CmcpError("OPERATOR_STATEMENT_MISMATCH", "the statement is for another instance or session");
  }
  const recorded = parts.sessions.forOperator(id);
  if (recorded === undefined) throw new CmcpError("NOT_FOUND", "this instance has no such open session");
  parts.operators.assertNew(signed);
  if (!recorded.lifecycle.takesCalls) throw new CmcpError("SESSION_CLOSED", "the session is closed");
  if (statement.chain_tip !== recorded.chain.tip)
    throw new CmcpError(
      "OPERATOR_STATEMENT_STALE",
      "the chain of the session has another tip; sign a statement with the present one",
    );
  parts.operators.markApplied(signed);
  return recordReset(parts, recorded, signed);
}

function recordReset(
  parts: ResetPorts,
  recorded: RecordedSession,
  { statement, key, signature }: SignedReset,
): PendingEntry {
  const { before, after } = parts.sessions.reset(recorded);
  return parts.recorder.note(recorded, {
    entry_type: "session_reset",
    session_sensitivity_before: before,
    session_sensitivity_after: after,
    detail: {
      ...parts.sessions.labelBeside(recorded),
      policy_hash: parts.policy.bundle.hash,
      operator_key: key,
      operator_signature: signature,
      sequence: statement.sequence,
      reason: statement.reason,
    },
  });
}

function summary(entry: AuditEntry): object {
  const { session_id, sequence_number, entry_hash, session_sensitivity_before, session_sensitivity_after } = entry;
  return { session_id, sequence_number, entry_hash, session_sensitivity_before, session_sensitivity_after };
}
