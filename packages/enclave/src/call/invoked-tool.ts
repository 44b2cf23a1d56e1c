import { approvedOf, nameOf, type Target } from "@cmcp/catalog";
import type { InvokedTool } from "@cmcp/session";

/** A target in the form that sessions record. */
export function invokedToolOf(target: Target): InvokedTool {
  return { ...approvedOf(target), toolName: nameOf(target) };
}
