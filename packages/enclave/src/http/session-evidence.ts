import { canonicalText, CmcpError, type JsonObject } from "@cmcp/boundary";
import { writeEvidenceFile, type ClaimPlace } from "@cmcp/appraise/evidence";
import type { AuditEntry } from "@cmcp/audit";
import type { Claim } from "@cmcp/claim";
import type { HttpResponse } from "@cmcp/mcp";
import type { Caller } from "../access/caller.ts";
import type { Principals } from "../access/principals.ts";
import type { SessionEvidence } from "../instance/session-evidence.ts";
import type { Claims } from "../record/claims.ts";
import { readRoot, type ChainPoint, type OwnJournal } from "../record/read-entries.ts";
import type { Recorder } from "../record/recorder.ts";
import type { SessionLookup } from "../record/session-lookup.ts";
import type { StoredSessions } from "../record/stored-sessions.ts";
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
  readonly stored: Pick<StoredSessions, "claimPlace">;
}

/**
 * `GET /sessions/{id}/evidence`: the session's platform evidence, as `evidence.json` for its claim. The root entry names the launch
 * digest. Of a closed session it has the place of the claim in the log. The launch document is included only for callers that may read it.
 */
export async function sessionEvidence(parts: EvidencePorts, caller: Caller, id: string): Promise<HttpResponse> {
  const found = await findSession(parts, caller, id);
  if (found === null) return json(await earlierEvidence(parts, caller, id));
  const { point, claim } = found;
  const evidence = await parts.sessionEvidence.of(point.root, caller.principalId);
  const rootEntry = await readRoot(parts, point.first, point.root);
  const log = claim === null ? null : await parts.stored.claimPlace(claim.gateway.session_id, claim);
  return json(
    writeEvidenceFile(evidence, {
      ...(parts.principals.mayReadLaunch(caller) ? { launchDocument: parts.launchDocument } : {}),
      rootEntry: asJson(rootEntry),
      ...(log === null ? {} : { log }),
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
): Promise<{ readonly point: ChainPoint; readonly claim: Claim | null } | null> {
  const recorded = lookup.open(caller, id);
  if (recorded !== undefined) {
    await recorder.ensureStarted(recorded);
    return { point: await claims.storedPoint(recorded), claim: null };
  }
  const closed = await lookup.closed(caller, id);
  return closed === null ? null : { point: closed, claim: closed.claim };
}

/** The evidence that an earlier instance stored at the close. The launch document is included if this instance has the same one. */
async function earlierEvidence(parts: EvidencePorts, caller: Caller, id: string): Promise<JsonObject> {
  const earlier = await parts.lookup.earlier(caller, id);
  if (earlier === null) throw unknownSession();
  const { closed } = earlier;
  const storedEvidence = closed?.end?.evidence;
  if (closed === null || storedEvidence === undefined)
    throw new CmcpError("SESSION_INCOMPLETE", "the evidence of the session was not stored, and its instance is gone");
  const rootEntry = earlier.root;
  const sameLaunch =
    rootEntry?.detail?.["launch_digest"] === parts.launchDigest && parts.principals.mayReadLaunch(caller);
  const log = await parts.stored.claimPlace(id, closed.claim);
  return {
    ...storedEvidence,
    ...(log === null ? {} : { log: asJson(log) }),
    ...(rootEntry === undefined ? {} : { root_entry: asJson(rootEntry) }),
    ...(sameLaunch ? { launch_document: Buffer.from(parts.launchDocument).toString("base64") } : {}),
  };
}

function asJson(value: AuditEntry | ClaimPlace): JsonObject {
  return JSON.parse(canonicalText(value)) as JsonObject;
}
