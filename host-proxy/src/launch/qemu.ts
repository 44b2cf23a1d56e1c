import { copyFile, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CmcpError } from "@cmcp/boundary";
import { dialerOf, hybridVsockDialer, hybridVsockSocket, type Dialer } from "@cmcp/wire";
import type { EnclaveProcess, Exit } from "../launcher/process.ts";
import type { Log } from "../log.ts";
import { requireProgram, socketOf, startChild, type Child, type Command } from "./child.ts";
import { ENCLAVE_PORT, SERVICES_PORT, checkMachine, type Machine } from "./machine.ts";
import { qemuArguments, type Accelerator, type Attachments } from "./qemu-arguments.ts";

/** Milliseconds until a program beside QEMU must listen. */
const COMPANION_MS = 5_000;
/** Milliseconds between attempts to dial the enclave. */
const DIAL_EVERY_MS = 100;
/** Milliseconds one attempt may take: a guest that is still booting may leave it unanswered. */
const DIAL_MS = 1_000;

/** The programs on the host's side. */
export interface MachinePrograms {
  readonly qemu: Command;
  /** Folders with QEMU's own firmware files, where they are not at their usual place. */
  readonly dataFolders: readonly string[];
  /** Carries vsock over a Unix socket where the host's kernel has none to give. */
  readonly vsockDaemon: Command | null;
  /** The software TPM of platform `vtpm`. */
  readonly swtpm: Command | null;
}

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
  /** Private folder for sockets and state; short enough for the path of a Unix socket. */
  readonly folder: string;
  /** Milliseconds until the enclave must be dialable. */
  readonly startMs: number;
  readonly log: Log;
}

/** A guest whose enclave accepts connections. */
export interface EnclaveMachine extends EnclaveProcess {
  readonly dialer: Dialer;
}

/** Where the host's services must listen for a guest: an address for `listenAt`. */
export function servicesAddress(vsock: GuestVsock, folder: string): string {
  return vsock.kind === "daemon" ? hybridVsockSocket(join(folder, "vsock"), SERVICES_PORT) : `vsock:${SERVICES_PORT}`;
}

/**
 * Starts a machine with the image and waits until its enclave can be dialled. The machine ends as one: with QEMU, with a
 * program it cannot do without, or with this process. Whatever was started is stopped when a step fails.
 *
 * @throws CmcpError `LAUNCH_MACHINE_INVALID`, `LAUNCH_PROGRAM_MISSING`; `ENCLAVE_UNAVAILABLE` when it ends early or is
 * not dialable in time
 */
export async function startQemu(options: QemuOptions): Promise<EnclaveMachine> {
  const { machine, programs, vsock, folder, log } = options;
  checkMachine(machine);
  requireProgram("QEMU", programs.qemu);
  if (vsock.kind === "daemon") requireProgram("a vsock daemon", programs.vsockDaemon);
  if (machine.platform === "vtpm") requireProgram("a software TPM", programs.swtpm);
  const dialer = vsock.kind === "daemon" ? hybridVsockDialer(join(folder, "vsock"), ENCLAVE_PORT) : dialerOf(`vsock:${vsock.cid}:${ENCLAVE_PORT}`, vsock.addon);
  const started: Child[] = [];
  const stopAll = async (): Promise<void> => {
    for (const child of started.toReversed()) await child.stop();
  };
  try {
    const attached: Attachments = {
      vsock: vsock.kind === "daemon" ? { daemon: await startVsockDaemon(programs, folder, log, started) } : { cid: vsock.cid },
      tpm: machine.platform === "vtpm" ? await startTpm(programs, folder, log, started) : null,
      variables: await copyVariables(machine, folder),
      dataFolders: programs.dataFolders,
    };
    const qemu = startChild("QEMU", programs.qemu, qemuArguments(machine, options.accelerator, attached), folder, log);
    started.push(qemu);
    const exited = endOf(started, stopAll);
    if (!(await dialable(dialer, exited, options.startMs))) throw new CmcpError("ENCLAVE_UNAVAILABLE", "the machine ended or its enclave did not listen in time; what it printed is in the log");
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

/** How QEMU ended, once everything has: none of the programs is of use without the others. */
async function endOf(started: readonly Child[], stopAll: () => Promise<void>): Promise<Exit> {
  await Promise.race(started.map(({ exited }) => exited));
  await stopAll();
  return (await started.at(-1)?.exited) ?? { exitCode: undefined, exitSignal: undefined };
}

/** Starts the vsock daemon and returns its vhost-user socket. The host dials `vsock` in the folder. */
async function startVsockDaemon({ vsockDaemon }: MachinePrograms, folder: string, log: Log, started: Child[]): Promise<string> {
  requireProgram("a vsock daemon", vsockDaemon);
  const socket = join(folder, "vhost-user");
  await Promise.all([socket, join(folder, "vsock")].map((path) => rm(path, { force: true })));
  // The guest's own number; any that is not reserved does, as nobody else is on this daemon.
  const daemon = startChild("the vsock daemon", vsockDaemon, ["--vm", `guest-cid=3,socket=${socket},uds-path=${join(folder, "vsock")}`], folder, log);
  started.push(daemon);
  await socketOf("the vsock daemon", daemon, socket, COMPANION_MS);
  return socket;
}

/** Starts a software TPM with an empty state of its own and returns its control socket. */
async function startTpm({ swtpm }: MachinePrograms, folder: string, log: Log, started: Child[]): Promise<string> {
  requireProgram("a software TPM", swtpm);
  const [state, socket] = [join(folder, "tpm"), join(folder, "tpm-control")];
  await rm(socket, { force: true });
  await mkdir(state, { recursive: true, mode: 0o700 });
  const tpm = startChild("the software TPM", swtpm, ["socket", "--tpm2", "--tpmstate", `dir=${state}`, "--ctrl", `type=unixio,path=${socket}`], folder, log);
  started.push(tpm);
  await socketOf("the software TPM", tpm, socket, COMPANION_MS);
  return socket;
}

async function copyVariables({ firmware }: Machine, folder: string): Promise<string | null> {
  if (firmware === null || "bios" in firmware) return null;
  const copy = join(folder, "variables.fd");
  await copyFile(firmware.variables, copy);
  return copy;
}

async function dialable(dialer: Dialer, exited: Promise<Exit>, ms: number): Promise<boolean> {
  const ended = new AbortController();
  const waiting = AbortSignal.any([AbortSignal.timeout(ms), ended.signal]);
  void exited.then(() => ended.abort());
  while (!waiting.aborted) {
    try {
      (await dialer.dial(AbortSignal.any([waiting, AbortSignal.timeout(DIAL_MS)]))).destroy();
      return true;
    } catch {
      // Still booting: the only way to learn that it listens is to try again.
      await delay(DIAL_EVERY_MS);
    }
  }
  return false;
}
