import { CmcpError } from "@cmcp/boundary";
import { buildTraceRecord, signTraceRecord, type Claim } from "@cmcp/claim";
import type { HttpResponse } from "@cmcp/mcp";
import type { Caller } from "../access/caller.ts";
import type { SigningKey } from "../instance/signing-key.ts";
import type { Claims } from "../record/claims.ts";
import type { SessionCloser } from "../record/session-closer.ts";
import type { SessionLookup } from "../record/session-lookup.ts";
import { json } from "./json-response.ts";

/** What the claim endpoints need. */
export interface ClaimEndpointPorts {
  readonly lookup: Pick<SessionLookup, "open" | "closed" | "earlier">;
  readonly claims: Pick<Claims, "claimOpen">;
  readonly closing: Pick<SessionCloser, "close">;
  readonly key: Pick<SigningKey, "jwk" | "sign">;
  readonly buildDigest: string;
}

/** The error for a session that does not exist or belongs to another principal. */
export function unknownSession(): CmcpError {
  return new CmcpError("NOT_FOUND", "this principal has no such session");
}

/** `POST /sessions/{id}/close`: closes the session and returns its claim. A second close returns the same claim. */
export async function closeById(
  { lookup, closing }: ClaimEndpointPorts,
  caller: Caller,
  id: string,
): Promise<HttpResponse> {
  const recorded = lookup.open(caller, id);
  if (recorded !== undefined) return json(await closing.close(recorded));
  const closed = (await lookup.closed(caller, id)) ?? (await lookup.earlier(caller, id))?.closed;
  if (closed == null) throw unknownSession();
  return json(closed.claim);
}

/** `GET /sessions/{id}/trace-claim`: the claim of a closed session, or a claim over an open one so far. */
export async function traceClaim(parts: ClaimEndpointPorts, caller: Caller, id: string): Promise<HttpResponse> {
  return json(await claimOf(parts, caller, id));
}

/** `GET /sessions/{id}/trace-record`: the TRACE Trust Record of the claim that `trace-claim` returns. */
export async function traceRecord(parts: ClaimEndpointPorts, caller: Caller, id: string): Promise<HttpResponse> {
  const { key, buildDigest } = parts;
  const claim = await claimOf(parts, caller, id);
  if (claim.trace.cnf.jwk.x !== key.jwk.x)
    throw new CmcpError(
      "SESSION_INCOMPLETE",
      "the instance that closed the session is gone, and its key with it: there is no Trust Record, only the claim",
    );
  return json(signTraceRecord(buildTraceRecord(claim, { buildDigest }), (bytes) => key.sign(bytes)));
}

async function claimOf({ lookup, claims }: ClaimEndpointPorts, caller: Caller, id: string): Promise<Claim> {
  const recorded = lookup.open(caller, id);
  if (recorded !== undefined) return await claims.claimOpen(recorded);
  const closed = await lookup.closed(caller, id);
  if (closed !== null) return closed.claim;
  const earlier = await lookup.earlier(caller, id);
  if (earlier === null) throw unknownSession();
  if (earlier.closed === null)
    throw new CmcpError("SESSION_INCOMPLETE", "a crash interrupted the session, so it has no claim");
  return earlier.closed.claim;
}
