import { dirname } from "node:path";
import { listenUnix, unixDialer } from "@cmcp/wire";
import type { Log } from "../../log.ts";
import type { Launcher } from "../launcher.ts";
import { makeRuntimeDirectory } from "../runtime-directory.ts";
import { attestationFlags, type AttestationSetting } from "./attestation-files.ts";
import { findIsolation } from "./isolation.ts";
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
}

/** Prepares a place for enclave processes. @throws CmcpError `ISOLATION_UNAVAILABLE` */
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
  } = settings;
  const means = await findIsolation(developmentMode);
  if (means.isolation === "none")
    log.warn("the enclave process can reach the network: development only", { isolation: "none" });
  const directory = await makeRuntimeDirectory();
  const dialer = unixDialer(directory.enclaveSocket);
  const enclave = {
    entry,
    readable: [dirname(entry)],
    extraFlags: [...attestationFlags(attestation), ...extraFlags],
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
