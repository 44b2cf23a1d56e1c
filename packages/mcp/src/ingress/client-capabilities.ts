import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import { NEWEST_LEGACY_VERSION, type LegacyVersion } from "../versions.ts";

/**
 * Capabilities an agent declared, as servers may be told of them and it may be asked. That its roots change is left out:
 * a notification of an agent's is nothing that was decided and recorded, and none is passed on.
 */
export function toldToServers(capabilities: JsonObject): JsonObject {
  const { roots } = capabilities;
  return isJsonObject(roots) && roots.listChanged !== undefined
    ? { ...capabilities, roots: without(roots, "listChanged") }
    : capabilities;
}

/** The same of `initialize`. Versions before 2025-11-25 have `includeContext` without a capability of its own: there, sampling takes it. */
export function declaredAt(capabilities: JsonObject, version: LegacyVersion): JsonObject {
  const told = toldToServers(capabilities);
  const { sampling } = told;
  return version !== NEWEST_LEGACY_VERSION && isJsonObject(sampling)
    ? { ...told, sampling: { context: {}, ...sampling } }
    : told;
}

function without(object: JsonObject, left: string): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== left));
}
