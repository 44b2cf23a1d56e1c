import { stat } from "node:fs/promises";
import { asCmcpError, CmcpError } from "@cmcp/boundary";
import type { ArchivingStore } from "./archive.ts";
import type { CompactingStore } from "./compaction.ts";
import type { Log } from "../log.ts";
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

/** Where a host keeps its log: a file, memory (`null`), or the log of an origin in a PostgreSQL database. */
export type HostStoreLocation = { readonly path: string | null } | Exclude<StoreLocation, { readonly path: string }>;

/** A log as its host keeps it. */
export type HostStore = CompactingStore & ArchivingStore;

/** How a host keeps its log. */
export interface HostStoreOptions {
  /** Folder of old bodies; without one, bodies that left the store cannot be read. */
  readonly archive?: string;
  /** Whether an append to a file waits for the disk. A database decides by its own settings. */
  readonly durable: boolean;
  readonly log: Log;
}

/**
 * Opens the log of a gateway, and creates it where there is none. Old batches are compacted from here on, beside the
 * appends.
 * @throws AUDIT_STORE_UNAVAILABLE when it cannot be opened
 */
export async function openForHost(
  location: HostStoreLocation,
  { archive, durable, log }: HostStoreOptions,
): Promise<HostStore> {
  const options = archive === undefined ? {} : { archive };
  const store =
    "path" in location ? openFile(location.path, { ...options, durable, log }) : await openDatabase(location, options);
  store.compactAside((thrown) => {
    const { code } = asCmcpError(thrown, "AUDIT_STORE_UNAVAILABLE", "compaction failed");
    log.warn("old records of the audit store were not compacted", { code });
  });
  return store;
}

function openFile(path: string | null, { archive, durable, log }: HostStoreOptions): HostStore {
  const store = new SqliteStore(path, { durable, ...(archive === undefined ? {} : { archive }) });
  store.moveLogAside(() =>
    log.warn("the thread that moves the audit store's log ended; calls wait for the disk from here on"),
  );
  return store;
}

async function openDatabase(
  location: { readonly url: string; readonly origin: string },
  options: { readonly archive?: string },
): Promise<HostStore> {
  const { PostgresStore } = await import("./postgres/postgres-store.ts");
  return await PostgresStore.open({ ...options, ...location, durable: true });
}
