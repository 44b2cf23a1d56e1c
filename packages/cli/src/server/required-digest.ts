import { CmcpError } from "@cmcp/boundary";

/**
 * Requires that an archive is the one that a registry's entry was written for.
 * @param found and `required` are SHA-256 in lowercase hex
 * @throws CmcpError `PACKAGE_REFUSED`
 */
export function requireSame(what: string, found: string, required: string): void {
  if (found !== required)
    throw new CmcpError(
      "PACKAGE_REFUSED",
      `${what} changed since its registry entry was written: its SHA-256 is ${found}, the entry has ${required}`,
    );
}
