import type { Checklist } from "../checklist.ts";
import type { SessionLinks } from "../session/session-facts.ts";

/**
 * Says how a session goes on from another one, and in which. Each of them has a chain and a claim of its own; a reset
 * opens its successor in the same chain.
 */
export function reportLinks({ continues, resets, continuedBy }: SessionLinks, list: Checklist): void {
  const links = [
    ...(continues === null ? [] : [`goes on for the full session ${continues}`]),
    ...(resets === 0 ? [] : [`${resets} reset${resets === 1 ? "" : "s"}, each with its successor in this chain`]),
    ...(continuedBy === null ? [] : [`full: session ${continuedBy} goes on, with a claim of its own`]),
  ];
  if (links.length > 0) list.require("linked sessions", true, "CHAIN_BROKEN", { passed: links.join("; "), failed: "" });
}
