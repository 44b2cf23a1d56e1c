import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { CmcpError } from "@cmcp/boundary";
import { hybridVsockSocket, type Dialer } from "@cmcp/wire";
import type { Log } from "../../log.ts";
import type { Child } from "../child.ts";
import { openConsoleFile } from "../console-file.ts";
import { waitUntilDialable } from "../wait-until-dialable.ts";
import type { Exit, RunningEnclave } from "../launcher.ts";
import { ENCLAVE_PORT, SERVICES_PORT } from "../vsock/ports.ts";
import { routeDialer, type VsockRoute } from "../vsock/route.ts";
import { daemonSocket, startTpm, startVsockDaemon } from "./companions.ts";
import { checkMachine, type Machine } from "./machine.ts";
import { requireProgram, startProgram, type MachinePrograms } from "./programs.ts";
import { qemuArguments, type Accelerator, type CompanionSockets } from "./qemu-arguments.ts";

/** Between two attempts to dial the enclave, and for one: a guest that is still booting may leave it unanswered. */
const DIAL = { everyMs: 100, attemptMs: 1_000 } as const;

/** How the host reaches the guest. */
export type GuestVsock =
  /** The kernel's: a CID that no other guest of this host has, and the vsock addon for this process. */
  | { readonly kind: "kernel"; readonly cid: number; readonly addon: string }
  /** A daemon of its own for this guest. */
  | { readonly kind: "daemon" };

export interface QemuOptions {
  readonly machine: Machine;
  readonly programs: MachinePrograms;
  readonly vsock: GuestVsock;
  readonly accelerator: Accelerator;
  /** Private folder for sockets; short enough for the path of a Unix socket. */
  readonly folder: string;
  /** Folder for the state of the software TPM, which is made if it is missing. Without it the state ends with `folder`. */
  readonly tpmState?: string;
  /** Where what the machine prints is kept, beside the log. */
  readonly consolePath?: string;
  /** Unix socket of the quote generation service on a TDX host; its vsock port when absent. */
  readonly quoteGenerationSocket?: string | undefined;
  /** Milliseconds until the enclave must be dialable. */
  readonly startMs: number;
  /** Gives the start up. */
  readonly signal?: AbortSignal | undefined;
  readonly log: Log;
}

/** A guest whose enclave accepts connections. */
export interface EnclaveMachine extends RunningEnclave {
  /** QEMU's. */
  readonly pid: number;
  readonly dialer: Dialer;
}

/** How the host and a guest that is started in `folder` reach each other. */
export function guestRoute(vsock: GuestVsock, folder: string): VsockRoute {
  return vsock.kind === "daemon" ? { hybridSocket: daemonSocket(folder) } : vsock;
}

/** Where the host's services must listen for a guest: an address for `listenAt`. */
export function servicesAddress(vsock: GuestVsock, folder: string): string {
  return vsock.kind === "daemon" ? hybridVsockSocket(daemonSocket(folder), SERVICES_PORT) : `vsock:${SERVICES_PORT}`;
}

/** Refuses a machine for which a program is missing. @throws CmcpError `LAUNCH_PROGRAM_MISSING` */
export function requirePrograms(
  { platform }: Pick<Machine, "platform">,
  vsock: GuestVsock,
  programs: MachinePrograms,
): void {
  requireProgram("qemu", programs);
  if (vsock.kind === "daemon") requireProgram("vsockDaemon", programs);
  if (platform === "vtpm") requireProgram("swtpm", programs);
}

/**
 * Starts a machine with the image and waits until its enclave can be dialled. The machine ends as one: with QEMU, with
 * a program it cannot do without, or with this process. Whatever was started is stopped when a step fails.
 *
 * @throws CmcpError `LAUNCH_MACHINE_INVALID`, `LAUNCH_PROGRAM_MISSING`; `ENCLAVE_UNAVAILABLE` when it ends early or is
 * not dialable in time
 */
export async function startQemu(options: QemuOptions): Promise<EnclaveMachine> {
  const { machine, programs, vsock, folder, log } = options;
  checkMachine(machine);
  requirePrograms(machine, vsock, programs);
  const dialer = routeDialer(guestRoute(vsock, folder), ENCLAVE_PORT);
  const started: Child[] = [];
  const stopAll = async (): Promise<void> => {
    for (const child of started.toReversed()) await child.stop();
  };
  try {
    const companion = { programs, folder, log, started };
    const reached =
      vsock.kind === "daemon"
        ? await startVsockDaemon(companion)
        : { attached: { cid: vsock.cid }, guestReady: undefined };
    const attached: CompanionSockets = {
      vsock: reached.attached,
      tpm: machine.platform === "vtpm" ? await startTpm(companion, options.tpmState ?? join(folder, "tpm")) : null,
      variables: await copyVariables(machine, folder),
      dataFolders: programs.dataFolders,
      quoteGenerationSocket: options.quoteGenerationSocket,
    };
    const console = options.consolePath === undefined ? undefined : openConsoleFile(options.consolePath);
    const qemu = startProgram("qemu", programs, qemuArguments(machine, options.accelerator, attached), {
      folder,
      console,
      log,
    });
    started.push(qemu);
    const exited = endOf(started, stopAll);
    if (
      !(await waitUntilDialable(
        dialer,
        { ms: options.startMs, ...DIAL },
        { begin: reached.guestReady, ended: exited, signal: options.signal },
      ))
    )
      throw notServing(options);
    return {
      pid: qemu.pid,
      dialer,
      exited,
      async stop() {
        await stopAll();
        return await exited;
      },
    };
  } catch (thrown) {
    await stopAll();
    throw thrown;
  }
}

function notServing({ accelerator, startMs, consolePath }: QemuOptions): CmcpError {
  const where = consolePath === undefined ? "in the log" : `in the log and in ${consolePath}`;
  return new CmcpError(
    "ENCLAVE_UNAVAILABLE",
    `the machine ended, or its enclave did not listen within ${startMs} ms, under ${accelerator}; what it ` +
      `printed is ${where}`,
  );
}

/** How QEMU ended, once everything has: none of the programs is of use without the others. */
async function endOf(started: readonly Child[], stopAll: () => Promise<void>): Promise<Exit> {
  await Promise.race(started.map(({ exited }) => exited));
  await stopAll();
  return (await started.at(-1)?.exited) ?? { exitCode: undefined, exitSignal: undefined };
}

async function copyVariables({ firmware }: Machine, folder: string): Promise<string | null> {
  if (firmware === null || "bios" in firmware) return null;
  const copy = join(folder, "variables.fd");
  await copyFile(firmware.variables, copy);
  return copy;
}
