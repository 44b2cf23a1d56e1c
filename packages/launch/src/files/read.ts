import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { CmcpError, type ErrorCode } from "@cmcp/boundary";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** How error messages name a file. */
export interface FileRole {
  /** What the file is, such as `catalog`. */
  readonly what: string;
  readonly code: ErrorCode;
  readonly maxBytes: number;
  /** Refuse a file that group or others have any access to. */
  readonly ownerOnly?: true;
}

function why(thrown: unknown): string {
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  if (code === "ENOENT") return "does not exist";
  if (code === "EACCES" || code === "EPERM") return "cannot be read: permission denied";
  if (code === "EISDIR") return "is a folder";
  return "cannot be read";
}

/** The error for a file that cannot be read, naming its path. */
export function unreadable(role: Pick<FileRole, "what" | "code">, path: string, thrown: unknown): CmcpError {
  return new CmcpError(role.code, `${path}: the ${role.what} ${why(thrown)}`, {
    cause: thrown,
    detail: { file: path },
  });
}

/**
 * A regular file of at most `maxBytes` in pieces. It is opened when the first is read.
 * @throws CmcpError of the role's code, naming the path
 */
export async function* readPieces(path: string, role: FileRole): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  const refuse = (reason: string): CmcpError =>
    new CmcpError(role.code, `${path}: the ${role.what} ${reason}`, { detail: { file: path } });
  let total = 0;
  try {
    // Opening a named pipe would otherwise wait for a writer.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await file.stat();
    if (!stat.isFile()) throw refuse("is not a regular file");
    if (role.ownerOnly === true && (stat.mode & 0o077) !== 0)
      throw refuse("is accessible to group or others; run chmod 600 on it");
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(64 * 1024), 0, 64 * 1024);
      if (bytesRead === 0) return;
      total += bytesRead;
      if (total > role.maxBytes) throw refuse(`is larger than ${role.maxBytes} bytes`);
      yield buffer.subarray(0, bytesRead);
    }
  } catch (thrown) {
    throw thrown instanceof CmcpError ? thrown : unreadable(role, path, thrown);
  }
}

/** The whole of {@link readPieces}. @throws as it does */
export async function readBounded(path: string, role: FileRole): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of readPieces(path, role)) {
    total += chunk.length;
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** {@link readBounded} as UTF-8; a byte order mark stays part of the text, as it is part of the file's hash. */
export async function readText(path: string, role: FileRole): Promise<string> {
  const bytes = await readBounded(path, role);
  try {
    return decoder.decode(bytes);
  } catch (thrown) {
    throw new CmcpError(role.code, `${path}: the ${role.what} is not valid UTF-8`, {
      cause: thrown,
      detail: { file: path },
    });
  }
}
