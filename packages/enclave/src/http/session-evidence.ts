import { canonicalText, CmcpError, type JsonObject } from "@cmcp/boundary";
import { writeEvidenceFile } from "@cmcp/attestation";
import type { HttpResponse } from "@cmcp/mcp";
import type { Core } from "../core.ts";
import type { Caller } from "../caller.ts";
import { storedPoint } from "../record/claims.ts";
import { readEntries, type ChainPoint } from "../record/read-back.ts";
import { readClosed } from "../record/read-closed.ts";
import { ensureStarted } from "../record/recorder.ts";
import { json } from "./json-response.ts";
import { resolveSession } from "./session-endpoints.ts";

/** `GET /sessions/{id}/evidence`: what the platform handed over for the session, as `evidence.json` beside its claim. */
export async function sessionEvidence(core: Core, caller: Caller, id: string): Promise<HttpResponse> {
  const { sessionId, principalId, point } = await findSession(core, caller, id);
  const evidence = await core.sessionEvidence.of(point.root, principalId);
  const [rootEntry] = await readEntries(core, sessionId, point);
  const { launchDocument } = core;
  return json(writeEvidenceFile(evidence, { launchDocument, ...(rootEntry === undefined ? {} : { rootEntry: JSON.parse(canonicalText(rootEntry)) as JsonObject }) }));
}

interface FoundSession {
  readonly sessionId: string;
  readonly principalId: string;
  readonly point: ChainPoint;
}

async function findSession(core: Core, caller: Caller, id: string): Promise<FoundSession> {
  const recorded = resolveSession(core, caller, id);
  if (recorded !== undefined) {
    await ensureStarted(core, recorded);
    return { sessionId: recorded.session.id, principalId: caller.principalId, point: await storedPoint(core, recorded) };
  }
  const closed = core.sessions.closedById(caller, id) ?? (await readClosed(core, caller, id));
  if (closed === null) throw new CmcpError("NOT_FOUND", "this principal has no such session");
  return { sessionId: id, principalId: caller.principalId, point: closed };
}
