import { CmcpError } from "@cmcp/boundary";
import { buildTraceRecord, signTraceRecord, type Claim } from "@cmcp/claim";
import type { HttpResponse } from "@cmcp/mcp";
import type { Core } from "../boot/core.ts";
import type { Caller } from "../access/caller.ts";
import { faulted } from "../record/closing.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import { readClosed } from "../record/read-closed.ts";
import { json } from "./json-response.ts";

/** A caller's session by its id, its handle, or the caller's own label for it. */
export function resolveSession(core: Core, caller: Caller, name: string): RecordedSession | undefined {
  return (
    core.sessions.byId(caller, name) ??
    core.sessions.byHandle(caller, name) ??
    core.sessions.byExistingLabel(caller, name)
  );
}

/** @throws CmcpError `AUDIT_STORE_MISMATCH` for a session that ended without a claim because the host cannot show its record */
export function requireNotFaulted(core: Core, caller: Caller, id: string): void {
  if (core.sessions.isFaulted(caller, id)) throw faulted();
}

function unknown(): CmcpError {
  return new CmcpError("NOT_FOUND", "this principal has no such session");
}

/** `POST /sessions/{id}/close`: ends the session and answers with its claim; again for a closed one, the same claim. */
export async function closeById(core: Core, caller: Caller, id: string): Promise<HttpResponse> {
  const recorded = resolveSession(core, caller, id);
  if (recorded !== undefined) return json(await core.closing.close(recorded));
  requireNotFaulted(core, caller, id);
  const closed =
    core.sessions.closedById(caller, id) ??
    (await readClosed(core.ownRecord, caller, id)) ??
    (await core.earlierSessions.read(caller, id))?.closed;
  if (closed !== null && closed !== undefined) return json(closed.claim);
  throw unknown();
}

/** `GET /sessions/{id}/trace-claim`: the claim of a closed session, or one over an open session so far. */
export async function traceClaim(core: Core, caller: Caller, id: string): Promise<HttpResponse> {
  return json(await claimOf(core, caller, id));
}

/** `GET /sessions/{id}/trace-record`: the TRACE Trust Record of the claim that `trace-claim` would answer with. */
export async function traceRecord(core: Core, caller: Caller, id: string): Promise<HttpResponse> {
  const claim = await claimOf(core, caller, id);
  if (claim.trace.cnf.jwk.x !== core.key.jwk.x)
    throw new CmcpError(
      "SESSION_INCOMPLETE",
      "the key that would sign its Trust Record is gone with the instance that closed the session; its claim is still there",
    );
  const record = buildTraceRecord(claim, { buildDigest: core.buildDigest });
  return json(signTraceRecord(record, (bytes) => core.key.sign(bytes)));
}

async function claimOf(core: Core, caller: Caller, id: string): Promise<Claim> {
  const closed = core.sessions.closedById(caller, id);
  if (closed !== undefined) return closed.claim;
  const recorded = resolveSession(core, caller, id);
  if (recorded !== undefined) return await core.claims.soFar(recorded);
  requireNotFaulted(core, caller, id);
  const stored = await readClosed(core.ownRecord, caller, id);
  if (stored !== null) return stored.claim;
  const earlier = await core.earlierSessions.read(caller, id);
  if (earlier === null) throw unknown();
  if (earlier.closed === null)
    throw new CmcpError("SESSION_INCOMPLETE", "the session was interrupted by a crash; it has no claim");
  return earlier.closed.claim;
}
