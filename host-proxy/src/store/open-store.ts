import { stat } from "node:fs/promises";
import { CmcpError } from "@cmcp/boundary";
import type { ArchivingStore } from "./archive.ts";
import { SqliteStore } from "./sqlite/sqlite-store.ts";

/** Where a log is: a file of SQLite, or the log of an origin in a PostgreSQL database. */
export type StoreLocation = { readonly path: string } | { readonly url: string; readonly origin: string };

/**
 * Opens a log that is there; nothing is created.
 * @param archive folder of old bodies; without one, old bodies that left the store cannot be read
 * @throws AUDIT_STORE_UNAVAILABLE when it is not there or cannot be opened
 */
export async function openExisting(location: StoreLocation, archive?: string): Promise<ArchivingStore> {
  const options = { durable: true, ...(archive === undefined ? {} : { archive }) };
  if ("path" in location) {
    const file = await stat(location.path).catch(() => null);
    // SQLite would make a store of an empty file.
    if (file === null || !file.isFile() || file.size === 0)
      throw new CmcpError("AUDIT_STORE_UNAVAILABLE", `${location.path}: there is no audit store`);
    return new SqliteStore(location.path, options);
  }
  // Loaded only where it is asked for: a gateway with a file needs no database client.
  const { PostgresStore } = await import("./postgres/postgres-store.ts");
  return await PostgresStore.open({ ...options, ...location, existing: true });
}
