import { CmcpError, parseJson, untrusted, schemaProblem } from "@cmcp/boundary";
import { MAX_RESET_BYTES, signedResetSchema, type AuditEntry, type SignedReset } from "@cmcp/audit";
import type { HttpRequest, HttpResponse } from "@cmcp/mcp";
import type { Operators } from "../access/operators.ts";
import type { Journal } from "../record/journal.ts";
import type { PendingEntry, Recorder } from "../record/recorder.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import type { Sessions } from "../record/sessions.ts";
import { json } from "./json-response.ts";

/** What the reset endpoint needs. */
export interface ResetPorts {
  readonly instance: string;
  readonly operators: Operators;
  readonly journal: Pick<Journal, "assertWritable">;
  readonly sessions: Pick<Sessions, "forOperator" | "reset">;
  readonly recorder: Pick<Recorder, "note">;
  /** The policy in force. */
  readonly policy: { readonly bundle: { readonly hash: string } };
}

/** `/sessions/{id}/reset`. An operator's signature authenticates it, not a bearer token. */
export const RESET_PATH = /^\/sessions\/([0-9a-f-]{36})\/reset$/;

/** `POST /sessions/{id}/reset`: an operator's signed statement resets the session's principal to the lowest sensitivity. */
export async function resetSession(parts: ResetPorts, request: HttpRequest, id: string): Promise<HttpResponse> {
  if (request.method !== "POST") throw new CmcpError("METHOD_NOT_ALLOWED", "this path does not support the method");
  const signed = await readStatement(request);
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

/** @throws CmcpError `MCP_INVALID_REQUEST` for anything that is not a signed statement of at most 8 KiB */
async function readStatement(request: HttpRequest): Promise<SignedReset> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_RESET_BYTES)
      throw new CmcpError("MCP_INVALID_REQUEST", `a reset statement has at most ${MAX_RESET_BYTES} bytes`);
    chunks.push(chunk);
  }
  const bytes = untrusted(new Uint8Array(Buffer.concat(chunks)));
  const parsed = signedResetSchema.safeParse(
    parseJson(bytes, { maxBytes: MAX_RESET_BYTES, maxDepth: 4, maxItems: 32 }),
  );
  if (!parsed.success)
    throw new CmcpError("MCP_INVALID_REQUEST", `the reset statement is not valid: ${schemaProblem(parsed.error).text}`);
  return parsed.data;
}
