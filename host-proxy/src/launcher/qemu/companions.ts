import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { hybridVsockSocket, listenUnix } from "@cmcp/wire";
import type { Log } from "../../log.ts";
import { socketOf, type Child } from "../child.ts";
import { GUEST_READY_PORT } from "../vsock/ports.ts";
import { startProgram, type MachinePrograms } from "./programs.ts";

/** Milliseconds until a program beside QEMU must listen. */
const COMPANION_MS = 5_000;

/** What starting a program beside QEMU takes. */
export interface CompanionOptions {
  readonly programs: MachinePrograms;
  readonly folder: string;
  readonly log: Log;
  /** Gets the program as soon as it runs, before it is known to be of use. */
  readonly started: Child[];
}

/** The Unix socket at which a machine's own vsock daemon is dialled. */
export function daemonSocket(folder: string): string {
  return join(folder, "vsock");
}

/** A machine's own vsock daemon. */
export interface VsockDaemon {
  /** Its vhost-user socket, for QEMU. */
  readonly attached: { readonly daemon: string };
  /**
   * Resolves when the guest's vsock works. Nobody may dial before: vhost-device-vsock 0.3.0 moves no byte any more when
   * it is dialled after it was given the guest's memory and before it was given the queues.
   */
  readonly guestReady: Promise<void>;
}

/** Starts the vsock daemon. @throws CmcpError `LAUNCH_PROGRAM_MISSING`, `ENCLAVE_UNAVAILABLE` */
export async function startVsockDaemon({ programs, folder, log, started }: CompanionOptions): Promise<VsockDaemon> {
  const socket = join(folder, "vhost-user");
  await Promise.all([socket, daemonSocket(folder)].map((path) => rm(path, { force: true })));
  // The guest's own number; any that is not reserved does, as nobody else is on this daemon.
  const daemon = startProgram(
    "vsockDaemon",
    programs,
    ["--vm", `guest-cid=3,socket=${socket},uds-path=${daemonSocket(folder)}`],
    { folder, log },
  );
  started.push(daemon);
  const { promise: guestReady, resolve } = Promise.withResolvers<void>();
  const listener = await listenUnix(hybridVsockSocket(daemonSocket(folder), GUEST_READY_PORT), (stream) => {
    stream.on("error", () => undefined);
    resolve();
  });
  void daemon.exited.then(() => listener.close());
  await socketOf("the vsock daemon", daemon, socket, COMPANION_MS);
  return { attached: { daemon: socket }, guestReady };
}

/**
 * Starts a software TPM and returns its control socket. Its state outlives machine and gateway, so that the next machine
 * has a TPM with the same keys; registers are reset with every start. swtpm holds a lock on the folder.
 * @param state folder of its state, which is made if it is missing
 * @throws CmcpError `LAUNCH_PROGRAM_MISSING`, `ENCLAVE_UNAVAILABLE`
 */
export async function startTpm({ programs, folder, log, started }: CompanionOptions, state: string): Promise<string> {
  const socket = join(folder, "tpm-control");
  await rm(socket, { force: true });
  await mkdir(state, { recursive: true, mode: 0o700 });
  const tpm = startProgram(
    "swtpm",
    programs,
    ["socket", "--tpm2", "--tpmstate", `dir=${state}`, "--ctrl", `type=unixio,path=${socket}`],
    { folder, log },
  );
  started.push(tpm);
  await socketOf("the software TPM", tpm, socket, COMPANION_MS);
  return socket;
}
