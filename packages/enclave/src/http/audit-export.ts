import { CmcpError } from "@cmcp/boundary";
import type { HttpResponse } from "@cmcp/mcp";
import type { Core } from "../core.ts";
import type { Caller } from "../caller.ts";
import { exportSession, storedPoint } from "../record/claims.ts";
import { interrupted } from "../record/interrupted.ts";
import { readClosed } from "../record/read-closed.ts";
import { ensureStarted } from "../record/recorder.ts";
import { json, jsonInPieces } from "./json-response.ts";
import { resolveSession } from "./session-endpoints.ts";

/** `GET /audit/export?session_id=`: a session's whole audit bundle; of a session a crash interrupted, what was recorded, marked incomplete. */
export async function auditExport(core: Core, url: URL, caller: Caller): Promise<HttpResponse> {
  const id = url.searchParams.get("session_id");
  if (id === null || id.length === 0 || id.length > 256) throw new CmcpError("MCP_INVALID_REQUEST", "session_id is missing or too long");
  const closed = core.sessions.closedById(caller, id);
  if (closed !== undefined) return jsonInPieces(await exportSession(core, id, closed));
  const recorded = resolveSession(core, caller, id);
  if (recorded !== undefined) {
    await ensureStarted(core, recorded);
    return jsonInPieces(await exportSession(core, recorded.session.id, await storedPoint(core, recorded)));
  }
  const stored = await readClosed(core, caller, id);
  if (stored !== null) return jsonInPieces(await exportSession(core, id, stored));
  const incomplete = await interrupted(core, caller, id);
  if (incomplete !== null) return json(incomplete);
  throw new CmcpError("NOT_FOUND", "this principal has no such session");
}
