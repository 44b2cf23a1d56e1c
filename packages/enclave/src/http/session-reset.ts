import { randomUUID } from "node:crypto";
import { CmcpError } from "@cmcp/boundary";
import {
  CLOSED_SESSION,
  signedResetSchema,
  SUCCESSOR_SESSION,
  successorOf,
  type AuditEntry,
  type SignedReset,
} from "@cmcp/audit";
import type { HttpRequest, HttpResponse } from "@cmcp/mcp";
import type { Operators } from "../access/operators.ts";
import type { Journal } from "../record/journal.ts";
import type { Recorder } from "../record/recorder.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import type { Sessions } from "../record/sessions.ts";
import { json } from "./json-response.ts";
import { readStatement } from "./operator-statement.ts";

/** What the reset endpoint needs. */
export interface ResetPorts {
  readonly instance: string;
  readonly operators: Operators;
  readonly journal: Pick<Journal, "assertWritable">;
  readonly sessions: Pick<Sessions, "forOperator" | "labelBeside" | "reset" | "rename">;
  readonly recorder: Pick<Recorder, "note" | "writeKey">;
  /** The policy in force. */
  readonly policy: { readonly bundle: { readonly hash: string } };
}

/** `/sessions/{id}/reset`. An operator's signature authenticates it, not a bearer token. */
export const RESET_PATH = /^\/sessions\/([0-9a-f-]{36})\/reset$/;

/**
 * `POST /sessions/{id}/reset`: an operator's signed statement closes the session, and resets its principal to the
 * lowest sensitivity. The successor goes on in the same chain, handle and label.
 */
export async function resetSession(parts: ResetPorts, request: HttpRequest, id: string): Promise<HttpResponse> {
  const signed = await readStatement(request, signedResetSchema);
  parts.operators.authenticate(signed);
  parts.journal.assertWritable();
  const { entry, stored } = apply(parts, signed, id);
  await stored;
  return json(summary(entry));
}

/** A reset that is in the chain. `stored` resolves with the host's acknowledgement. */
interface PendingReset {
  readonly entry: AuditEntry;
  readonly stored: Promise<unknown>;
}

/** Checks and applies a statement synchronously, so that no entry comes between the check of the chain's tip and the reset. */
function apply(parts: ResetPorts, signed: SignedReset, id: string): PendingReset {
  const { statement } = signed;
  if (statement.instance !== parts.instance || statement.session_id !== id) {
    throw new CmcpError("OPERATOR_STATEMENT_MISMATCH", "the statement is for another instance or session");
  }
  const recorded = parts.sessions.forOperator(id);
  if (recorded === undefined) throw new CmcpError("NOT_FOUND", "this instance has no such open session");
  parts.operators.assertNew(signed);
  if (!recorded.lifecycle.takesCalls) throw new CmcpError("SESSION_CLOSED", "the session is closed");
  if (recorded.id !== id)
    throw new CmcpError(
      "OPERATOR_STATEMENT_STALE",
      `a reset closed the session; sign a statement for its successor ${recorded.id}`,
    );
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
): PendingReset {
  const { before, after } = parts.sessions.reset(recorded);
  const closed = recorded.id;
  const pending = parts.recorder.note(recorded, {
    entry_type: "session_reset",
    session_sensitivity_before: before,
    session_sensitivity_after: after,
    detail: {
      ...parts.sessions.labelBeside(recorded),
      [CLOSED_SESSION]: closed,
      [SUCCESSOR_SESSION]: randomUUID(),
      policy_hash: parts.policy.bundle.hash,
      operator_key: key,
      operator_signature: signature,
      sequence: statement.sequence,
      reason: statement.reason,
    },
  });
  parts.sessions.rename(recorded);
  const keyStored = parts.recorder.writeKey(recorded);
  return { entry: pending.entry, stored: Promise.all([pending.stored, keyStored]) };
}

function summary(entry: AuditEntry): object {
  const { session_id, sequence_number, entry_hash, session_sensitivity_before, session_sensitivity_after } = entry;
  return {
    session_id,
    [SUCCESSOR_SESSION]: successorOf(entry),
    sequence_number,
    entry_hash,
    session_sensitivity_before,
    session_sensitivity_after,
  };
}
