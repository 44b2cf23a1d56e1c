import { approvedOf, nameOf, type Target } from "@cmcp/catalog";
import type { InvokedTool } from "@cmcp/session";

/** A target as sessions remember it. */
export function invokedToolOf(target: Target): InvokedTool {
  return { ...approvedOf(target), toolName: nameOf(target) };
}
