import { CmcpError } from "@cmcp/boundary";

/**
 * An archive that is not what its format says. Every archive is pinned by hash, so this is a wrong lock or a bug, never
 * a passing fault.
 */
export function malformed(format: string, what: string, cause?: unknown): CmcpError {
  return new CmcpError("IMAGE_INPUT_INVALID", `${format}: ${what}`, { cause });
}
