import { CmcpError, fromBase64Url } from "@cmcp/boundary";
import type { HttpRequest, HttpResponse } from "@cmcp/mcp";
import type { Caller } from "../access/caller.ts";
import type { SigningKey } from "../instance/signing-key.ts";
import type { Claims } from "../record/claims.ts";
import type { Exports } from "../record/exports.ts";
import type { Recorder } from "../record/recorder.ts";
import type { SessionLookup } from "../record/session-lookup.ts";
import type { StoredSession } from "../record/stored-sessions.ts";
import { jsonInPieces } from "./json-response.ts";
import { unknownSession } from "./claims.ts";

const ED25519_SIGNATURE_BYTES = 64;
/** Longest session name in a query, in UTF-16 units. */
const MAX_NAME = 256;

/** What the export endpoint needs. */
export interface ExportPorts {
  readonly lookup: SessionLookup;
  readonly claims: Pick<Claims, "storedPoint">;
  readonly exports: Exports;
  readonly recorder: Pick<Recorder, "ensureStarted">;
  readonly key: Pick<SigningKey, "jwk">;
}

/** What an export is asked for with. */
export interface ExportRequest {
  readonly url: URL;
  readonly caller: Caller;
  readonly request: Pick<HttpRequest, "signal">;
}

/**
 * `GET /audit/export?session_id=`: the audit bundle of a session. If a crash interrupted the session, its entries so
 * far, marked as incomplete.
 */
export async function auditExport(parts: ExportPorts, { url, caller, request }: ExportRequest): Promise<HttpResponse> {
  const { lookup, claims, recorder, exports } = parts;
  const id = url.searchParams.get("session_id");
  if (id === null || id.length === 0 || id.length > MAX_NAME)
    throw new CmcpError("MCP_INVALID_REQUEST", `session_id must be 1 to ${MAX_NAME} characters`);
  const exporter = { principalId: caller.principalId, signal: request.signal };
  const recorded = lookup.open(caller, id);
  if (recorded !== undefined) {
    await recorder.ensureStarted(recorded);
    const point = await claims.storedPoint(recorded);
    return jsonInPieces(await exports.open(exporter, point));
  }
  const closed = await lookup.closed(caller, id);
  if (closed !== null) return jsonInPieces(await exports.open(exporter, closed));
  const earlier = await lookup.earlier(caller, id);
  if (earlier === null) throw unknownSession();
  const signature = fromBase64Url(earlier.closed?.end?.bundle_signature ?? "");
  if (signature?.length === ED25519_SIGNATURE_BYTES)
    return jsonInPieces(await exports.open(exporter, earlier.point, () => signature));
  return jsonInPieces(await exports.stream(exporter, () => interruptedText(parts, earlier)));
}

/** What a crash left of a session, in pieces: see `IncompleteSession`. */
async function* interruptedText(
  { exports, key }: Pick<ExportPorts, "exports" | "key">,
  { point, receipts, handOver }: StoredSession,
): AsyncGenerator<string, void, void> {
  const left = {
    session_id: point.first,
    incomplete: true,
    signing_key: key.jwk,
    ...(handOver === null ? {} : { hand_over: handOver }),
    receipts,
  };
  yield `${JSON.stringify(left).slice(0, -1)},"entries":[`;
  yield* exports.entriesText(point);
  yield "]}";
}
