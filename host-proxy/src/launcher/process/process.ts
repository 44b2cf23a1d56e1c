import { CmcpError } from "@cmcp/boundary";
import type { Dialer } from "@cmcp/wire";
import type { Log } from "../../log.ts";
import { startChild } from "../child.ts";
import { waitUntilDialable, type DialTimeouts } from "../wait-until-dialable.ts";
import type { RunningEnclave } from "../launcher.ts";
import type { RuntimeDirectory } from "../runtime-directory.ts";
import type { IsolationMeans } from "./isolation.ts";
import { nodeArguments, type EnclaveEntry } from "./node-arguments.ts";
import { startWaitingSpawner, type SpawnerSettings } from "./spawner.ts";

/** Until the enclave process must be dialable. */
export const START: DialTimeouts = { ms: 20_000, everyMs: 10, attemptMs: 20_000 };

export interface EnclaveProcessOptions {
  readonly nodePath: string;
  readonly enclave: EnclaveEntry;
  readonly means: IsolationMeans;
  readonly directory: RuntimeDirectory;
  readonly dialer: Dialer;
  readonly log: Log;
  /** Gives the start up. */
  readonly signal?: AbortSignal | undefined;
  /** Command socket of a software TPM that stands for the machine's. */
  readonly tpmSocket?: string;
  /** Starts a spawner of stdio servers beside it. */
  readonly spawner?: SpawnerSettings & { readonly developmentMode: boolean };
}

/** A running enclave process that accepts connections. */
export interface EnclaveProcess extends RunningEnclave {
  readonly pid: number;
}

/**
 * Starts the enclave process and waits until it can be dialled.
 *
 * Its environment is CMCP_ENCLAVE_LISTEN and CMCP_HOST_SERVICES, with a software TPM CMCP_TPM_SOCKET, with stdio
 * servers CMCP_SPAWN_SOCKET, and nothing else, so neither secrets of the host nor settings of Node leak in. It ends
 * when this process ends.
 *
 * @throws ENCLAVE_UNAVAILABLE when it does not start, ends early or cannot be dialled within {@link START}
 */
export async function startEnclaveProcess(options: EnclaveProcessOptions): Promise<EnclaveProcess> {
  const { directory, log } = options;
  await directory.clearEnclaveSocket();
  const spawner =
    options.spawner === undefined ? undefined : await startWaitingSpawner(directory.path, options.spawner, log);
  const child = startChild(
    [...options.means.prefix, options.nodePath, ...nodeArguments(options.enclave, directory.enclaveSocket)],
    {
      folder: directory.path,
      environment: {
        CMCP_ENCLAVE_LISTEN: directory.enclaveSocket,
        CMCP_HOST_SERVICES: directory.servicesSocket,
        ...(options.tpmSocket === undefined ? {} : { CMCP_TPM_SOCKET: options.tpmSocket }),
        ...(spawner === undefined ? {} : { CMCP_SPAWN_SOCKET: spawner.socket }),
      },
      // Its end is this process's end, and the enclave's with it.
      holdInput: true,
      endsWithInput: true,
      log,
    },
  );
  if (child === null) {
    await spawner?.stop();
    throw new CmcpError("ENCLAVE_UNAVAILABLE", "the enclave process did not start");
  }
  // What was started for it ends with it.
  const exited = child.exited.then(async (exit) => {
    await spawner?.stop();
    return exit;
  });
  const stop = async (): ReturnType<EnclaveProcess["stop"]> => {
    await child.stop();
    return await exited;
  };
  if (!(await waitUntilDialable(options.dialer, START, { ended: exited, signal: options.signal }))) {
    const exit = await stop();
    log.error("enclave did not start", { pid: child.pid, ...exit });
    throw new CmcpError("ENCLAVE_UNAVAILABLE", "the enclave process ended or did not listen in time");
  }
  return { pid: child.pid, exited, stop };
}
