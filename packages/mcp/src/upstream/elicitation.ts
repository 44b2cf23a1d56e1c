import type { JsonObject } from "@cmcp/boundary";
import type { Peer } from "../peer.ts";

/** Says that what an agent was sent to a URL for is done (MCP 2025-11-25, "ElicitationCompleteNotification"). */
export const ELICITATION_COMPLETE = "notifications/elicitation/complete";

/**
 * Tells those of whom a server may have asked it; each knows what was put to it. Nothing waits here: of each question that was
 * put one notification passes.
 */
export function notifyElicitationComplete(peers: Iterable<Peer>, params: JsonObject | null): void {
  const elicitationId = params?.elicitationId;
  if (typeof elicitationId !== "string") return;
  for (const peer of peers)
    if (peer.input === "ask") void peer.notify(ELICITATION_COMPLETE, { elicitationId }).catch(() => undefined);
}
