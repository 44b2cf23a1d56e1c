import { hash } from "node:crypto";
import type { CatalogServer } from "@cmcp/catalog";

/** What was computed of a server, which does not change. */
const definitions = new WeakMap<CatalogServer, string>();

/**
 * What tells one definition of a server from another, in lowercase hex. A later catalog may give the same address another key,
 * other settings or another credential, and that is then another server.
 */
export function definitionOf(server: CatalogServer): string {
  const known = definitions.get(server);
  if (known !== undefined) return known;
  const definition = hash("sha256", JSON.stringify(server));
  definitions.set(server, definition);
  return definition;
}
