import { canonicalText, type JsonObject } from "@cmcp/boundary";
import { invalidParams } from "./refusal.ts";

/** Bounds on what of a request's `_meta` goes on to a server: members, and bytes of their canonical JSON. */
export const MAX_FORWARDED_MEMBERS = 64;
export const MAX_FORWARDED_BYTES = 16_384;

/**
 * Names that speak of this hop: the progress token, and every prefix MCP reserves for itself (MCP 2025-11-25, Base
 * Protocol, "_meta": the second label is `modelcontextprotocol` or `mcp`). The gateway says to servers what it means by them.
 */
function endsHere(name: string): boolean {
  return name === "progressToken" || /^[^./]+\.(?:modelcontextprotocol|mcp)[./]/i.test(name);
}

/**
 * What of `params._meta` is for the server: trace context (`traceparent`, `tracestate`, `baggage`) and the members of
 * vendors; `null` when nothing is.
 * @throws Refusal -32602 for more than the bounds
 */
export function forwardedMeta(meta: JsonObject | null): JsonObject | null {
  const kept = Object.entries(meta ?? {}).filter(([name]) => !endsHere(name));
  if (kept.length === 0) return null;
  const forwarded = Object.fromEntries(kept);
  if (
    kept.length > MAX_FORWARDED_MEMBERS ||
    new TextEncoder().encode(canonicalText(forwarded)).byteLength > MAX_FORWARDED_BYTES
  ) {
    throw invalidParams(
      `_meta may have ${MAX_FORWARDED_MEMBERS} members and ${MAX_FORWARDED_BYTES} bytes for the server`,
    );
  }
  return forwarded;
}
