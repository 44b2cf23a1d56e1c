import { CmcpError } from "@cmcp/boundary";

// Result codes, https://www.sqlite.org/rescode.html
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_READONLY = 8;
const SQLITE_CANTOPEN = 14;
const SQLITE_CONSTRAINT_PRIMARYKEY = 1555;
const SQLITE_NOTADB = 26;

/** Why a store fails, in fixed words: SQLite's own may name files. */
export type StoreFailure =
  | "the disk is full"
  | "it is read-only"
  | "it cannot be opened"
  | "it is not a database"
  | "its file is damaged"
  | "another process holds it"
  | "input or output error";

const REASONS: Readonly<Record<number, StoreFailure>> = {
  [SQLITE_BUSY]: "another process holds it",
  [SQLITE_CORRUPT]: "its file is damaged",
  [SQLITE_FULL]: "the disk is full",
  [SQLITE_READONLY]: "it is read-only",
  [SQLITE_CANTOPEN]: "it cannot be opened",
  [SQLITE_NOTADB]: "it is not a database",
};

/** A failure of node:sqlite, or of the file under it, as the store's error. Its text stays in `cause`. */
export function storeError(thrown: unknown): CmcpError {
  if (thrown instanceof CmcpError) return thrown;
  const code = resultCode(thrown);
  if (code === SQLITE_CONSTRAINT_PRIMARYKEY)
    return new CmcpError("AUDIT_STORE_MISMATCH", "a record of this instance and number is already stored", {
      cause: thrown,
    });
  const damaged = (code & 0xff) === SQLITE_CORRUPT;
  return new CmcpError(
    damaged ? "AUDIT_STORE_DAMAGED" : "AUDIT_STORE_UNAVAILABLE",
    `the audit store failed: ${reasonOf(code)}`,
    { cause: thrown },
  );
}

/** Why the store failed, of an error that {@link storeError} made of a failure under it. */
export function storeFailure({ code, cause }: CmcpError): StoreFailure | undefined {
  const failed = code === "AUDIT_STORE_UNAVAILABLE" || code === "AUDIT_STORE_DAMAGED";
  return failed && cause !== undefined ? reasonOf(resultCode(cause)) : undefined;
}

function reasonOf(code: number): StoreFailure {
  return REASONS[code & 0xff] ?? "input or output error";
}

/** What an operator can do something about, by the code of the system call that opens the file. */
const OPENING: Readonly<Record<string, string>> = {
  ENOENT: "its folder does not exist",
  ENOTDIR: "a part of its path is not a folder",
  EISDIR: "it is a folder",
  EACCES: "this user may not write it",
  EPERM: "this user may not write it",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
};

/**
 * The same for a file that is being opened, by name: whoever reads this started the gateway. No agent is served yet.
 */
export function openingError(path: string, thrown: unknown): CmcpError {
  const { code, message } = storeError(thrown);
  const reason = thrown instanceof Error && "code" in thrown ? OPENING[String(thrown.code)] : undefined;
  return new CmcpError(
    code,
    `${path}: ${reason === undefined ? message : `the audit store cannot be opened: ${reason}`}`,
    { cause: thrown },
  );
}

// Extended codes carry the primary one in their low byte. A failed system call is the opening of the file.
function resultCode(thrown: unknown): number {
  if (thrown instanceof Error && "syscall" in thrown) return SQLITE_CANTOPEN;
  return thrown instanceof Error && "errcode" in thrown && typeof thrown.errcode === "number" ? thrown.errcode : 0;
}
