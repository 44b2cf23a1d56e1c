import { CmcpError } from "@cmcp/boundary";
import { identitySchema, requirePrincipals, type IdentitySettings } from "@cmcp/identity";
import type { Config } from "@cmcp/launch";

/** Longest key that a message repeats. */
const MAX_SHOWN = 64;

// A key is somebody's text: shown shortened and without control characters.
const shown = (key: PropertyKey): string => String(key).slice(0, MAX_SHOWN).replace(/[^\x20-\x7e]/g, "?");

/**
 * Reads `enclave.identity` of the measured configuration.
 * @throws CmcpError `CONFIG_INVALID` naming the key
 */
export function readCallerIdentity({ identity, principals }: Pick<Config["enclave"], "identity" | "principals">): IdentitySettings {
  const parsed = identitySchema.safeParse(identity);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const unknown = issue?.code === "unrecognized_keys" ? issue.keys.slice(0, 1) : [];
    const path = ["enclave", "identity", ...(issue?.path ?? []), ...unknown].map(shown).join(".");
    throw new CmcpError("CONFIG_INVALID", `${path}: ${unknown.length > 0 ? "unknown key" : (issue?.message ?? "not valid")}`);
  }
  requirePrincipals(parsed.data, new Set(principals.map(({ id }) => id)));
  return parsed.data;
}
