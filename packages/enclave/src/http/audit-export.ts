import { bundleText, type IncompleteSession } from "@cmcp/audit";
import { CmcpError, fromBase64Url } from "@cmcp/boundary";
import type { HttpResponse } from "@cmcp/mcp";
import type { Caller } from "../access/caller.ts";
import type { Claims } from "../record/claims.ts";
import type { Recorder } from "../record/recorder.ts";
import type { SessionLookup } from "../record/session-lookup.ts";
import { json, jsonInPieces } from "./json-response.ts";
import { unknownSession } from "./claims.ts";

const ED25519_SIGNATURE_BYTES = 64;
/** Longest session name in a query, in UTF-16 units. */
const MAX_NAME = 256;

/** What the export endpoint needs. */
export interface ExportPorts {
  readonly lookup: SessionLookup;
  readonly claims: Pick<Claims, "export" | "storedPoint">;
  readonly recorder: Pick<Recorder, "ensureStarted">;
}

/** `GET /audit/export?session_id=`: the audit bundle of a session. If a crash interrupted the session, its entries so far, marked as incomplete. */
export async function auditExport(parts: ExportPorts, url: URL, caller: Caller): Promise<HttpResponse> {
  const { lookup, claims, recorder } = parts;
  const id = url.searchParams.get("session_id");
  if (id === null || id.length === 0 || id.length > MAX_NAME)
    throw new CmcpError("MCP_INVALID_REQUEST", `session_id must be 1 to ${MAX_NAME} characters`);
  const recorded = lookup.open(caller, id);
  if (recorded !== undefined) {
    await recorder.ensureStarted(recorded);
    return jsonInPieces(await claims.export(recorded.session.id, await claims.storedPoint(recorded)));
  }
  const closed = await lookup.closed(caller, id);
  return closed === null ? await exportEarlier(lookup, caller, id) : jsonInPieces(await claims.export(id, closed));
}

/** A session of an earlier instance: the bundle that it signed at the close, or the entries that a crash left. */
async function exportEarlier(lookup: SessionLookup, caller: Caller, id: string): Promise<HttpResponse> {
  const earlier = await lookup.earlier(caller, id);
  if (earlier === null) throw unknownSession();
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
