import { canonicalText, CmcpError, type JsonObject } from "@cmcp/boundary";
import { writeEvidenceFile } from "@cmcp/appraise/evidence";
import type { AuditEntry } from "@cmcp/audit";
import type { HttpResponse } from "@cmcp/mcp";
import type { Caller } from "../access/caller.ts";
import type { Principals } from "../access/principals.ts";
import type { SessionEvidence } from "../instance/session-evidence.ts";
import type { Claims } from "../record/claims.ts";
import { readEntries, type ChainPoint, type OwnJournal } from "../record/read-entries.ts";
import type { Recorder } from "../record/recorder.ts";
import type { SessionLookup } from "../record/session-lookup.ts";
import { json } from "./json-response.ts";
import { unknownSession } from "./claims.ts";

/** The launch document as received, and who may read it. */
export interface LaunchDocumentPorts {
  readonly principals: Pick<Principals, "mayReadLaunch">;
  readonly launchDocument: Uint8Array;
  readonly launchDigest: string;
}

/** What answers with evidence. */
export interface EvidencePorts extends LaunchDocumentPorts {
  readonly lookup: SessionLookup;
  readonly claims: Pick<Claims, "storedPoint">;
  readonly recorder: Pick<Recorder, "ensureStarted">;
  readonly sessionEvidence: Pick<SessionEvidence, "of">;
  readonly ownRecord: OwnJournal;
}

/**
 * `GET /sessions/{id}/evidence`: what the platform handed over for the session, as `evidence.json` beside its claim. Its root entry names
 * the launch document's digest; the document itself goes to whom the measured configuration lets read it.
 */
export async function sessionEvidence(parts: EvidencePorts, caller: Caller, id: string): Promise<HttpResponse> {
  const found = await findSession(parts, caller, id);
  if (found === null) return json(await earlierEvidence(parts, caller, id));
  const { sessionId, point } = found;
  const evidence = await parts.sessionEvidence.of(point.root, caller.principalId);
  const [rootEntry] = await readEntries(parts.ownRecord, sessionId, point);
  return json(
    writeEvidenceFile(evidence, {
      ...(parts.principals.mayReadLaunch(caller) ? { launchDocument: parts.launchDocument } : {}),
      ...(rootEntry === undefined ? {} : { rootEntry: asJson(rootEntry) }),
    }),
  );
}

/** `GET /launch-document`: the launch document's exact bytes. @throws CmcpError `LAUNCH_DOCUMENT_NOT_ALLOWED` for agents */
export function launchDocument(parts: LaunchDocumentPorts, caller: Caller): HttpResponse {
  if (!parts.principals.mayReadLaunch(caller))
    throw new CmcpError("LAUNCH_DOCUMENT_NOT_ALLOWED", "the launch document is for auditors and operators");
  return {
    status: 200,
    headers: { "content-type": "application/json", "cache-control": "no-store" },
    body: new TextDecoder().decode(parts.launchDocument),
  };
}

/** A session of this instance. */
async function findSession(
  { lookup, claims, recorder }: EvidencePorts,
  caller: Caller,
  id: string,
): Promise<{ readonly sessionId: string; readonly point: ChainPoint } | null> {
  const recorded = lookup.open(caller, id);
  if (recorded !== undefined) {
    await recorder.ensureStarted(recorded);
    return { sessionId: recorded.session.id, point: await claims.storedPoint(recorded) };
  }
  const closed = await lookup.closed(caller, id);
  return closed === null ? null : { sessionId: id, point: closed };
}

/** What an earlier instance kept when it closed the session; with the launch document where this instance was launched with the same. */
async function earlierEvidence(parts: EvidencePorts, caller: Caller, id: string): Promise<JsonObject> {
  const earlier = await parts.lookup.earlier(caller, id);
  if (earlier === null) throw unknownSession();
  const kept = earlier.closed?.end?.evidence;
  if (kept === undefined) throw new CmcpError("SESSION_INCOMPLETE", "the session's evidence is gone with its instance");
  const [rootEntry] = earlier.entries;
  const sameLaunch =
    rootEntry?.detail?.["launch_digest"] === parts.launchDigest && parts.principals.mayReadLaunch(caller);
  return {
    ...kept,
    ...(rootEntry === undefined ? {} : { root_entry: asJson(rootEntry) }),
    ...(sameLaunch ? { launch_document: Buffer.from(parts.launchDocument).toString("base64") } : {}),
  };
}

function asJson(entry: AuditEntry): JsonObject {
  return JSON.parse(canonicalText(entry)) as JsonObject;
}
