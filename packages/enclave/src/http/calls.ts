import { CmcpError, IDEMPOTENCY_KEY_FORM, readIdempotencyKey } from "@cmcp/boundary";
import type { HttpResponse } from "@cmcp/mcp";
import type { Caller } from "../access/caller.ts";
import type { Turns } from "@cmcp/wire";
import type { KeyedCalls } from "../record/keyed-calls.ts";
import { json } from "./json-response.ts";

/** What answering for calls needs. */
export interface CallsPorts {
  readonly keyed: Pick<KeyedCalls, "standingOf" | "ended">;
  /** Turns of reading the record. */
  readonly turns: Pick<Turns, "next">;
}

/**
 * `GET /calls?idempotency_key=`: what became of the caller's call with a key, from the record. Another principal's key looks
 * exactly like one that no call has.
 * @throws CmcpError `MCP_INVALID_REQUEST`, `IDEMPOTENCY_KEY_REFUSED`; `AUDIT_STORE_UNAVAILABLE`, `AUDIT_STORE_MISMATCH`
 */
export async function calls({ keyed, turns }: CallsPorts, url: URL, { principalId }: Caller): Promise<HttpResponse> {
  const key = readIdempotencyKey(url.searchParams.get("idempotency_key") ?? "");
  if (key === null) throw new CmcpError("MCP_INVALID_REQUEST", `idempotency_key must be ${IDEMPOTENCY_KEY_FORM}`);
  const standing = keyed.standingOf(principalId, key);
  if (standing.kind === "unseen") return json({ state: "unseen", may_still_run: standing.mayStillRun });
  if (standing.kind !== "ended") return json({ state: standing.kind });
  await turns.next();
  const call = await keyed.ended(standing);
  return json(call === null ? { state: "running" } : { state: "ended", ...call });
}
