import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { CmcpError } from "@cmcp/boundary";

/** What keeps the enclave process from the network: an empty network namespace, or nothing. */
export type Isolation = "network-namespace" | "none";

/** A way to start the enclave, found by trying it. */
export interface IsolationMeans {
  readonly isolation: Isolation;
  /** Command line that the enclave's own is appended to; empty for none. */
  readonly prefix: readonly string[];
}

const NO_ISOLATION: IsolationMeans = { isolation: "none", prefix: [] };

/** Milliseconds the probe may take. */
const PROBE_MS = 5_000;

/**
 * Finds out whether this machine lets an unprivileged user make an empty network namespace.
 *
 * The namespaces are made without a user mapping, so the process in them has no capability there either
 * and cannot bring an interface up. Sockets by path still work, as they belong to the file system.
 *
 * @param unshare path of util-linux `unshare`, for tests; the usual places are tried when absent
 * @throws ISOLATION_UNAVAILABLE when it cannot be had and `developmentMode` is off
 */
export async function findIsolation(developmentMode: boolean, unshare?: string): Promise<IsolationMeans> {
  for (const candidate of unshare === undefined ? ["/usr/bin/unshare", "/bin/unshare"] : [unshare]) {
    const prefix = [candidate, "--user", "--net", "--"];
    if ((await executable(candidate)) && (await works(prefix))) return { isolation: "network-namespace", prefix };
  }
  if (developmentMode) return NO_ISOLATION;
  throw new CmcpError(
    "ISOLATION_UNAVAILABLE",
    "this host does not allow an empty network namespace for the enclave process",
  );
}

function executable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

function works(prefix: readonly string[]): Promise<boolean> {
  const [command = "", ...args] = prefix;
  return new Promise((resolve) => {
    execFile(
      command,
      [...args, process.execPath, "--version"],
      { env: {}, timeout: PROBE_MS, killSignal: "SIGKILL" },
      (error) => resolve(error === null),
    );
  });
}
