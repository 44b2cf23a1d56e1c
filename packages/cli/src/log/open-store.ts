import process from "node:process";
import { CmcpError } from "@cmcp/boundary";
import { openExisting, type ArchivingStore, type StoreLocation } from "@cmcp/host-proxy/store";
import { parseCheckpoint, parseNote } from "@cmcp/log/format";

/** Options that say which store a command reads. */
export const STORE_OPTIONS = {
  store: { type: "string" },
  "store-env": { type: "string" },
  origin: { type: "string" },
  archive: { type: "string" },
} as const;

/** What the help of such a command says of them. */
export const STORE_HELP = `  --store FILE             the gateway's audit store, a file of SQLite; the gateway may be running
  --store-env NAME         environment variable with the URL of a PostgreSQL database instead
  --origin ORIGIN          the log that it must be, log.origin of the configuration; a database needs it
  --archive FOLDER         where bodies are that left the store`;

type StoreValues = Readonly<Partial<Record<keyof typeof STORE_OPTIONS, string>>>;

/**
 * Runs a command over the store that its options name, and closes it.
 * @throws CmcpError `USAGE` where they name none or two; `AUDIT_STORE_UNAVAILABLE` for one that is not there; `LOG_MISMATCH` for
 *   the log of another origin
 */
export async function withStore<T>(values: StoreValues, run: (store: ArchivingStore) => Promise<T>): Promise<T> {
  const store = await openExisting(locationOf(values), values.archive);
  try {
    await requireOrigin(store, values.origin);
    return await run(store);
  } finally {
    await store.close();
  }
}

/** A file has one log, whose name is in its note. */
async function requireOrigin(store: ArchivingStore, origin: string | undefined): Promise<void> {
  const head = origin === undefined ? null : await store.head();
  if (head === null) return;
  const held = parseCheckpoint(parseNote(head.note).text).origin;
  if (held !== origin) throw new CmcpError("LOG_MISMATCH", `the audit store holds the log ${held}, not ${origin}`);
}

function locationOf({ store: path, "store-env": name, origin }: StoreValues): StoreLocation {
  if ((path === undefined) === (name === undefined))
    throw new CmcpError("USAGE", "--store or --store-env is required, and not both");
  if (path !== undefined) return { path };
  const url = process.env[name ?? ""] ?? "";
  if (url === "") throw new CmcpError("USAGE", `the environment variable ${name ?? ""} has no URL of a database`);
  if (origin === undefined) throw new CmcpError("USAGE", "--store-env needs --origin: a database has many logs");
  return { url, origin };
}
