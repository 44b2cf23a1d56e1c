import { asCmcpError, CmcpError } from "@cmcp/boundary";
import { prefixedSha256, type Catalog, type CatalogServer } from "@cmcp/catalog";
import type { DriftMonitor } from "../drift.ts";

/** What the tools of stdio servers are held to at the start. */
export interface SurfacePorts {
  readonly catalog: Pick<Catalog, "servers" | "tools">;
  readonly drift: Pick<DriftMonitor, "toolsOf">;
  /** `catalog.drift_policy` */
  readonly policy: "fail_closed" | "warn_only";
}

/** What the stdio servers listed before anything was served. */
export interface StdioSurface {
  /** `sha256:` and hex over what each server lists, by its identity. */
  readonly hash: string;
  /** Of each server alone, by its identity; `null` where it could not be asked. */
  readonly servers: Readonly<Record<string, string | null>>;
}

/**
 * Starts each stdio server once, before anything is served, and compares its tools with the catalog. A tool that nobody
 * approved is callable by nobody, but it is in the hash.
 * A server with secrets is not among them: nobody has provisioned yet. It is first started for its first call, and compared
 * before that as a server over HTTP is; until then its surface is `null`.
 * @returns `null` without tools of stdio servers
 * @throws CmcpError `CATALOG_DRIFT_DETECTED` under `fail_closed`, and the server's error if it cannot be asked
 */
export async function stdioSurface({ catalog, drift, policy }: SurfacePorts): Promise<StdioSurface | null> {
  const surfaces: Record<string, string | null> = {};
  // One after the other: processes are bounded, and a machine is busy while it starts.
  for (const server of catalog.servers) {
    if (server.transport !== "stdio") continue;
    const offers = [...catalog.tools.values()].some((tool) => tool.server.identity === server.identity);
    if (!offers) continue;
    if (server.spawn.secrets !== undefined) {
      surfaces[server.identity] = null;
      continue;
    }
    try {
      const found = await drift.toolsOf(server);
      if (found.isOther)
        throw new CmcpError(
          "CATALOG_DRIFT_DETECTED",
          "it lists other tools than the record of its provenance describes",
        );
      const [[tool, how] = []] = found.drift;
      if (tool !== undefined && policy === "fail_closed")
        throw new CmcpError("CATALOG_DRIFT_DETECTED", `tool ${tool} is ${how}: it is not as the catalog approves it`);
      surfaces[server.identity] = found.surface;
    } catch (thrown) {
      if (policy === "fail_closed") throw ofServer(server, thrown);
      surfaces[server.identity] = null;
    }
  }
  return Object.keys(surfaces).length === 0 ? null : { hash: prefixedSha256(surfaces), servers: surfaces };
}

/** The error, with the server's name: which of them refuses the start is for its operator to know. */
function ofServer({ name }: CatalogServer, thrown: unknown): CmcpError {
  const error = asCmcpError(thrown, "UPSTREAM_UNAVAILABLE", "it cannot be asked for its tools");
  return new CmcpError(error.code, `stdio server ${name}: ${error.message}`, { cause: error, detail: error.detail });
}
