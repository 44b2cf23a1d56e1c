import { canonicalText, CmcpError, type JsonObject } from "@cmcp/boundary";
import { writeEvidenceFile } from "@cmcp/attestation";
import type { HttpResponse } from "@cmcp/mcp";
import type { Core } from "../boot/core.ts";
import type { Caller } from "../access/caller.ts";
import { readEntries, type ChainPoint } from "../record/read-back.ts";
import { readClosed } from "../record/read-closed.ts";
import { json } from "./json-response.ts";
import { requireNotFaulted, resolveSession } from "./session-endpoints.ts";

/** `GET /sessions/{id}/evidence`: what the platform handed over for the session, as `evidence.json` beside its claim. */
export async function sessionEvidence(core: Core, caller: Caller, id: string): Promise<HttpResponse> {
  const found = await findSession(core, caller, id);
  if (found === null) return json(await earlierEvidence(core, caller, id));
  const { sessionId, principalId, point } = found;
  const evidence = await core.sessionEvidence.of(point.root, principalId);
  const [rootEntry] = await readEntries(core.ownRecord, sessionId, point);
  const { launchDocument } = core;
  return json(
    writeEvidenceFile(evidence, {
      launchDocument,
      ...(rootEntry === undefined ? {} : { rootEntry: JSON.parse(canonicalText(rootEntry)) as JsonObject }),
    }),
  );
}

interface FoundSession {
  readonly sessionId: string;
  readonly principalId: string;
  readonly point: ChainPoint;
}

/** A session of this instance. */
async function findSession(core: Core, caller: Caller, id: string): Promise<FoundSession | null> {
  const recorded = resolveSession(core, caller, id);
  if (recorded !== undefined) {
    await core.recorder.ensureStarted(recorded);
    return {
      sessionId: recorded.session.id,
      principalId: caller.principalId,
      point: await core.claims.storedPoint(recorded),
    };
  }
  requireNotFaulted(core, caller, id);
  const closed = core.sessions.closedById(caller, id) ?? (await readClosed(core.ownRecord, caller, id));
  if (closed === null) return null;
  return { sessionId: id, principalId: caller.principalId, point: closed };
}

/** What an earlier instance kept when it closed the session; with the launch document where this instance was launched with the same. */
async function earlierEvidence(core: Core, caller: Caller, id: string): Promise<JsonObject> {
  const earlier = await core.earlierSessions.read(caller, id);
  if (earlier === null) throw new CmcpError("NOT_FOUND", "this principal has no such session");
  const kept = earlier.closed?.end?.evidence;
  if (kept === undefined) throw new CmcpError("SESSION_INCOMPLETE", "the session's evidence is gone with its instance");
  const [rootEntry] = earlier.entries;
  const sameLaunch = rootEntry?.detail?.["launch_digest"] === core.launchDigest;
  return {
    ...kept,
    ...(rootEntry === undefined ? {} : { root_entry: JSON.parse(canonicalText(rootEntry)) as JsonObject }),
    ...(sameLaunch ? { launch_document: Buffer.from(core.launchDocument).toString("base64") } : {}),
  };
}
