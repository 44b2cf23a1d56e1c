import { hash } from "node:crypto";
import { canonicalText } from "@cmcp/boundary";
import type { AuditEntry } from "./entry.ts";

/** A call's idempotency key, as the record names it. Neither member tells what the key is. */
export interface CallKey {
  /** SHA-256 over the log, the principal and the key, lowercase hex. */
  readonly key: string;
  /** Commitment to the request, lowercase hex. The key is its salt. */
  readonly request: string;
}

/** Members of an entry's `detail`, and of an intent, that name a call's key. */
export interface CallKeyDetail {
  readonly idempotency_key: string;
  readonly idempotency_request: string;
}

/** Whose key it is: in another log, or of another principal, the same text is another key. */
export interface KeyScope {
  readonly origin: string;
  readonly principal: string;
}

/** The digest of a key in its scope. */
export function keyDigest({ origin, principal }: KeyScope, key: string): string {
  return hash("sha256", `cmcp-idempotency-key-v1|${canonicalText([origin, principal, key])}`);
}

/** The commitment to the request that a key is given with. A request that differs has another one. */
export function keyedRequestDigest(key: string, request: object): string {
  return hash("sha256", `cmcp-idempotency-request-v1|${canonicalText([key, request])}`);
}

/** How intents and entries name a call's key; empty for a call without one. */
export function callKeyDetail(known: CallKey | null): Partial<CallKeyDetail> {
  return known === null ? {} : { idempotency_key: known.key, idempotency_request: known.request };
}

/** The key of the call that an entry ends, and whose it is; `null` for an entry without one. */
export function endedCallKey({ entry_type: type, detail }: AuditEntry): (CallKey & { principal: string }) | null {
  const { principal, idempotency_key: key, idempotency_request: request } = detail ?? {};
  if (type !== "tool_call" || typeof principal !== "string" || typeof key !== "string" || typeof request !== "string")
    return null;
  return { principal, key, request };
}
