import process from "node:process";
import { CmcpError } from "@cmcp/boundary";
import { openExisting, type ArchivingStore, type StoreLocation } from "@cmcp/host-proxy/store";

/** Options that say which store a command reads. */
export const STORE_OPTIONS = {
  store: { type: "string" },
  "store-env": { type: "string" },
  origin: { type: "string" },
  archive: { type: "string" },
} as const;

/** What the help of such a command says of them. */
export const STORE_HELP = `  --store FILE         the gateway's audit store, a file of SQLite; the gateway may be running
  --store-env NAME     environment variable with the URL of a PostgreSQL database instead
  --origin ORIGIN      which log of that database: log.origin of the configuration
  --archive FOLDER     where bodies are that left the store`;

type StoreValues = Readonly<Partial<Record<keyof typeof STORE_OPTIONS, string>>>;

/**
 * Runs a command over the store that its options name, and closes it.
 * @throws CmcpError `USAGE` where they name none or two; `AUDIT_STORE_UNAVAILABLE` for one that is not there
 */
export async function withStore<T>(values: StoreValues, run: (store: ArchivingStore) => Promise<T>): Promise<T> {
  const store = await openExisting(locationOf(values), values.archive);
  try {
    return await run(store);
  } finally {
    await store.close();
  }
}

function locationOf({ store: path, "store-env": name, origin }: StoreValues): StoreLocation {
  if ((path === undefined) === (name === undefined))
    throw new CmcpError("USAGE", "--store or --store-env is required, and not both");
  if (path !== undefined) {
    if (origin !== undefined) throw new CmcpError("USAGE", "--origin goes with --store-env: a file has one log");
    return { path };
  }
  const url = process.env[name ?? ""] ?? "";
  if (url === "") throw new CmcpError("USAGE", `the environment variable ${name ?? ""} has no URL of a database`);
  if (origin === undefined) throw new CmcpError("USAGE", "--store-env needs --origin: a database has many logs");
  return { url, origin };
}
