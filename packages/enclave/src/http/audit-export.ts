import { bundleText, type IncompleteSession } from "@cmcp/audit";
import { CmcpError, fromBase64Url } from "@cmcp/boundary";
import type { HttpResponse } from "@cmcp/mcp";
import type { Core } from "../boot/core.ts";
import type { Caller } from "../access/caller.ts";
import { readClosed } from "../record/read-closed.ts";
import { json, jsonInPieces } from "./json-response.ts";
import { requireNotFaulted, resolveSession } from "./session-endpoints.ts";

const ED25519_SIGNATURE_BYTES = 64;

/** `GET /audit/export?session_id=`: a session's whole audit bundle; of a session a crash interrupted, what was recorded, marked incomplete. */
export async function auditExport(core: Core, url: URL, caller: Caller): Promise<HttpResponse> {
  const id = url.searchParams.get("session_id");
  if (id === null || id.length === 0 || id.length > 256)
    throw new CmcpError("MCP_INVALID_REQUEST", "session_id is missing or too long");
  const closed = core.sessions.closedById(caller, id);
  if (closed !== undefined) return jsonInPieces(await core.claims.export(id, closed));
  const recorded = resolveSession(core, caller, id);
  if (recorded !== undefined) {
    await core.recorder.ensureStarted(recorded);
    return jsonInPieces(await core.claims.export(recorded.session.id, await core.claims.storedPoint(recorded)));
  }
  requireNotFaulted(core, caller, id);
  const stored = await readClosed(core.ownRecord, caller, id);
  if (stored !== null) return jsonInPieces(await core.claims.export(id, stored));
  return await exportEarlier(core, caller, id);
}

/** A session of an instance before this one: as that one signed it when it closed the session, or what a crash left. */
async function exportEarlier(core: Core, caller: Caller, id: string): Promise<HttpResponse> {
  const earlier = await core.earlierSessions.read(caller, id);
  if (earlier === null) throw new CmcpError("NOT_FOUND", "this principal has no such session");
  const { entries, receipts, signingKey, closed } = earlier;
  const signature = fromBase64Url(closed?.end?.bundle_signature ?? "");
  if (signature?.length === ED25519_SIGNATURE_BYTES) return jsonInPieces(bundleText(id, entries, () => signature));
  return json({
    session_id: id,
    incomplete: true,
    signing_key: signingKey,
    entries: [...entries],
    receipts: [...receipts],
  } satisfies IncompleteSession);
}
