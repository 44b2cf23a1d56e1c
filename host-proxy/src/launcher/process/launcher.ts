import { dirname } from "node:path";
import { CmcpError } from "@cmcp/boundary";
import { listenUnix, unixDialer } from "@cmcp/wire";
import type { Log } from "../../log.ts";
import type { Launcher } from "../launcher.ts";
import { makeRuntimeDirectory } from "../runtime-directory.ts";
import { attestationFlags, type AttestationSetting } from "./attestation-files.ts";
import { findIsolation, type IsolationMeans } from "./isolation.ts";
import { startEnclaveProcess } from "./process.ts";
import type { SpawnerSettings } from "./spawner.ts";

/** The enclave as a process of this host. */
export interface ProcessSettings {
  /** `process` when absent. */
  readonly launcher?: "process";
  /** Absolute path of the CommonJS entry. Its folder is readable to the process. */
  readonly entry: string;
  readonly nodePath: string;
  /** Lets the enclave start without network isolation, with a warning. */
  readonly developmentMode: boolean;
  /** `attestation.provider`: the process may use what its evidence comes from. */
  readonly attestation?: AttestationSetting;
  readonly extraFlags?: readonly string[];
  readonly extraArguments?: readonly string[];
  /** Command socket of a software TPM that stands for the machine's, for development and tests. */
  readonly tpmSocket?: string;
  /** The spawner of stdio servers, when the catalog has any. */
  readonly spawner?: SpawnerSettings;
  /**
   * Port of the loopback where a debugger attaches, 0 for any. The process then shares this host's network. Development
   * only.
   */
  readonly inspectorPort?: number;
}

/**
 * Nothing: a debugger could not reach a process in an empty network namespace.
 * @throws CmcpError `CONFIG_INVALID` outside of development
 */
function reachable(developmentMode: boolean): IsolationMeans {
  if (developmentMode) return { isolation: "none", prefix: [] };
  throw new CmcpError(
    "CONFIG_INVALID",
    "a debugger can attach to the enclave only in development: set CMCP_DEV_MODE=1",
  );
}

/** Node's flags for a debugger. The permission model opens no inspector without the second. */
function inspectorFlags(port: number | undefined): string[] {
  return port === undefined ? [] : [`--inspect=127.0.0.1:${port}`, "--allow-inspector"];
}

/**
 * Prepares a place for enclave processes.
 * @throws CmcpError `ISOLATION_UNAVAILABLE`, `CONFIG_INVALID` for a debugger outside of development
 */
export async function openProcessLauncher(settings: ProcessSettings, log: Log): Promise<Launcher> {
  const {
    entry,
    nodePath,
    developmentMode,
    attestation = "software-only",
    extraFlags = [],
    extraArguments = [],
    tpmSocket,
    spawner,
    inspectorPort,
  } = settings;
  const means = inspectorPort === undefined ? await findIsolation(developmentMode) : reachable(developmentMode);
  if (means.isolation === "none")
    log.warn("the enclave process can reach the network: development only", { isolation: "none" });
  const directory = await makeRuntimeDirectory();
  const dialer = unixDialer(directory.enclaveSocket);
  const enclave = {
    entry,
    readable: [dirname(entry)],
    extraFlags: [...attestationFlags(attestation), ...inspectorFlags(inspectorPort), ...extraFlags],
    extraArguments,
  };
  return {
    placement: { launcher: "process", isolation: means.isolation, measuredBy: "nothing" },
    dialer,
    listen: (onStream) => listenUnix(directory.servicesSocket, onStream),
    start: (signal) =>
      startEnclaveProcess({
        nodePath,
        enclave,
        means,
        directory,
        dialer,
        log,
        signal,
        ...(tpmSocket === undefined ? {} : { tpmSocket }),
        ...(spawner === undefined ? {} : { spawner: { ...spawner, developmentMode } }),
      }),
    close: () => directory.remove(),
  };
}
