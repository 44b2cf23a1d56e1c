import { signedErasureSchema } from "@cmcp/audit";
import { CmcpError } from "@cmcp/boundary";
import type { HttpRequest, HttpResponse } from "@cmcp/mcp";
import type { Operators } from "../access/operators.ts";
import type { Journal } from "../record/journal.ts";
import { json } from "./json-response.ts";
import { readStatement } from "./operator-statement.ts";

/** What the endpoint needs. */
export interface KeyErasurePorts {
  readonly instance: string;
  readonly operators: Operators;
  readonly journal: Pick<Journal, "assertWritable" | "append" | "scan">;
}

/** `/sessions/{id}/erase-key`. An operator's signature authenticates it, not a bearer token. */
export const ERASE_KEY_PATH = /^\/sessions\/([0-9a-f-]{36})\/erase-key$/;

/**
 * `POST /sessions/{id}/erase-key`: records an operator's signed statement that a session's key for auditors is erased. The
 * store is the host's, and so is the erasure.
 */
export async function recordKeyErasure(
  { instance, operators, journal }: KeyErasurePorts,
  request: HttpRequest,
  id: string,
): Promise<HttpResponse> {
  const signed = await readStatement(request, signedErasureSchema);
  operators.authenticate(signed);
  journal.assertWritable();
  const { statement } = signed;
  if (statement.instance !== instance || statement.session_id !== id)
    throw new CmcpError("OPERATOR_STATEMENT_MISMATCH", "the statement is for another instance or session");
  if (!(await hasKey(journal, id))) throw new CmcpError("NOT_FOUND", "the log has no key of this session for auditors");
  operators.assertNew(signed);
  // Up to here nothing waited since the check, so a statement counts once.
  operators.markApplied(signed);
  await journal.append(id, { kind: "erasure", body: signed });
  return json({ session_id: id, status: "recorded" });
}

async function hasKey(journal: KeyErasurePorts["journal"], session: string): Promise<boolean> {
  for await (const _ of journal.scan({ session, kind: "session-key" })) return true;
  return false;
}
