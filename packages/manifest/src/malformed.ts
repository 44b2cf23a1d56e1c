import { CmcpError } from "@cmcp/boundary";

/** A manifest that cannot be read. */
export function malformed(why: string, cause?: unknown): CmcpError {
  return new CmcpError("AGENT_MANIFEST_MALFORMED", `the agent manifest is not valid: ${why}`, { cause });
}
