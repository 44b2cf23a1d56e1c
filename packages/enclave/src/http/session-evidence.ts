import { canonicalText, CmcpError, type JsonObject } from "@cmcp/boundary";
import { writeEvidenceFile } from "@cmcp/appraise/evidence";
import type { AuditEntry } from "@cmcp/audit";
import type { HttpResponse } from "@cmcp/mcp";
import type { Caller } from "../access/caller.ts";
import type { Principals } from "../access/principals.ts";
import type { SessionEvidence } from "../instance/session-evidence.ts";
import type { Claims } from "../record/claims.ts";
import { readRoot, type ChainPoint, type OwnJournal } from "../record/read-entries.ts";
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

/** What the evidence endpoint needs. */
export interface EvidencePorts extends LaunchDocumentPorts {
  readonly lookup: SessionLookup;
  readonly claims: Pick<Claims, "storedPoint">;
  readonly recorder: Pick<Recorder, "ensureStarted">;
  readonly sessionEvidence: Pick<SessionEvidence, "of">;
  readonly journal: OwnJournal["journal"];
}

/**
 * `GET /sessions/{id}/evidence`: the session's platform evidence, as `evidence.json` for its claim. The root entry names the launch
 * digest. The launch document is included only for callers that may read it.
 */
export async function sessionEvidence(parts: EvidencePorts, caller: Caller, id: string): Promise<HttpResponse> {
  const found = await findSession(parts, caller, id);
  if (found === null) return json(await earlierEvidence(parts, caller, id));
  const { sessionId, point } = found;
  const evidence = await parts.sessionEvidence.of(point.root, caller.principalId);
  const rootEntry = await readRoot(parts, sessionId, point.root);
  return json(
    writeEvidenceFile(evidence, {
      ...(parts.principals.mayReadLaunch(caller) ? { launchDocument: parts.launchDocument } : {}),
      rootEntry: asJson(rootEntry),
    }),
  );
}

/** `GET /launch-document`: the launch document's exact bytes. @throws CmcpError `LAUNCH_DOCUMENT_NOT_ALLOWED` for agents */
export function launchDocument(parts: LaunchDocumentPorts, caller: Caller): HttpResponse {
  if (!parts.principals.mayReadLaunch(caller))
    throw new CmcpError(
      "LAUNCH_DOCUMENT_NOT_ALLOWED",
      "only principals with the role of auditor or operator may read the launch document",
    );
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

/** The evidence that an earlier instance stored at the close. The launch document is included if this instance has the same one. */
async function earlierEvidence(parts: EvidencePorts, caller: Caller, id: string): Promise<JsonObject> {
  const earlier = await parts.lookup.earlier(caller, id);
  if (earlier === null) throw unknownSession();
  const storedEvidence = earlier.closed?.end?.evidence;
  if (storedEvidence === undefined)
    throw new CmcpError("SESSION_INCOMPLETE", "the evidence of the session was not stored, and its instance is gone");
  const rootEntry = earlier.root;
  const sameLaunch =
    rootEntry?.detail?.["launch_digest"] === parts.launchDigest && parts.principals.mayReadLaunch(caller);
  return {
    ...storedEvidence,
    ...(rootEntry === undefined ? {} : { root_entry: asJson(rootEntry) }),
    ...(sameLaunch ? { launch_document: Buffer.from(parts.launchDocument).toString("base64") } : {}),
  };
}

function asJson(entry: AuditEntry): JsonObject {
  return JSON.parse(canonicalText(entry)) as JsonObject;
}
