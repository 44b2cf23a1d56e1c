import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Bytes of a Unix socket's path with its NUL: `sun_path` on Linux is 108, on macOS 104. */
const SOCKET_PATH_BYTES = 104;

/** The private place of the two sockets between host and enclave. */
export interface RuntimeDirectory {
  readonly path: string;
  /** Where the enclave listens. */
  readonly enclaveSocket: string;
  /** Where the host's services listen. */
  readonly servicesSocket: string;
  /** Removes a socket that a dead enclave left behind. */
  clearEnclaveSocket(): Promise<void>;
  remove(): Promise<void>;
}

/** Makes a directory that only this user can enter (mkdtemp creates it with mode 0700). */
export async function makeRuntimeDirectory(): Promise<RuntimeDirectory> {
  const longest = join(tmpdir(), "cmcp-XXXXXX", "services.sock");
  const path = await mkdtemp(join(longest.length < SOCKET_PATH_BYTES ? tmpdir() : "/tmp", "cmcp-"));
  const enclaveSocket = join(path, "enclave.sock");
  return {
    path,
    enclaveSocket,
    servicesSocket: join(path, "services.sock"),
    clearEnclaveSocket: () => rm(enclaveSocket, { force: true }),
    remove: () => rm(path, { recursive: true, force: true }),
  };
}
