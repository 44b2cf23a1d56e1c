import { createHash } from "node:crypto";
import type { Log } from "../../log.ts";
import type { Launcher } from "../launcher.ts";
import { makeRuntimeDirectory } from "../runtime-directory.ts";
import { lockVsock } from "../vsock/lock.ts";
import { ENCLAVE_PORT } from "../vsock/ports.ts";
import { waitUntilUnreachable, DEFAULT_WATCH, type WatchSettings } from "../vsock/wait-until-unreachable.ts";
import { listenForGuest, routeDialer } from "../vsock/route.ts";
import { chosenAccelerators, startMachine } from "./accelerators.ts";
import { readImage } from "./image.ts";
import { endWithHost } from "./end-with-host.ts";
import { checkMachine, type Machine } from "./machine.ts";
import { platformOf, type HostPlatform } from "./platform.ts";
import { installedPrograms, type MachinePrograms } from "./programs.ts";
import { guestRoute, requirePrograms, type EnclaveMachine, type GuestVsock } from "./qemu.ts";
import type { Accelerator } from "./qemu-arguments.ts";

/** A machine that this host starts. */
export interface QemuSettings {
  readonly launcher: "qemu";
  /** Absolute path of a folder that `make image` has made. */
  readonly image: string;
  /** `auto`: the best this host has. */
  readonly platform: HostPlatform | "auto";
  readonly memoryMegabytes: number;
  readonly processors: number;
  /** CPU model as QEMU names it; `null` for what suits the platform. */
  readonly processorModel: string | null;
  /** Instead of looking for the best. */
  readonly accelerator: Accelerator | "auto";
  readonly vsock: GuestVsock;
  readonly quoteGenerationSocket?: string | undefined;
  /** File for what the machine prints. */
  readonly consolePath: string;
  /** Folder for the state of the machine's software TPM. */
  readonly tpmState: string;
  readonly programs?: MachinePrograms;
  readonly watch?: WatchSettings;
}

/** The model whose measurement `make image` publishes first, and which every SEV-SNP host can play. */
const SNP_MODEL = "EPYC-v4";

/**
 * Prepares a machine for a launch document, whose digest the hardware carries where it can.
 *
 * @param document the launch document's exact bytes
 * @throws CmcpError `LAUNCH_HARDWARE_MISSING`, `LAUNCH_MACHINE_INVALID`, `LAUNCH_PROGRAM_MISSING`,
 * `LAUNCH_VSOCK_IN_USE`
 */
export async function openQemuLauncher(settings: QemuSettings, document: Uint8Array, log: Log): Promise<Launcher> {
  const { vsock, consolePath, tpmState, quoteGenerationSocket } = settings;
  const { programs = installedPrograms(), watch = DEFAULT_WATCH } = settings;
  const platform = platformOf(settings.platform);
  const machine = await describe(settings, platform, document);
  requirePrograms(machine, vsock, programs);
  let usable = chosenAccelerators(settings.accelerator, machine);
  if (settings.accelerator === "auto" && !usable.includes("kvm"))
    log.warn("KVM cannot be used: the machine is emulated, which is slow");
  if (endWithHost(programs.setpriv).holdInput)
    log.warn(
      "there is no setpriv: a shell beside each program of the machine ends it when this process is killed; " +
        "install the package util-linux, and the kernel does",
    );
  const lock = vsock.kind === "kernel" ? await lockVsock(vsock) : null;
  const directory = await makeRuntimeDirectory();
  const close = async (): Promise<void> => {
    await directory.remove();
    await lock?.release();
  };
  try {
    const route = guestRoute(vsock, directory.path);
    const dialer = routeDialer(route, ENCLAVE_PORT);
    return {
      placement: { launcher: "qemu", isolation: "machine", measuredBy: platform === "vtpm" ? "host-tpm" : "processor" },
      dialer,
      listen: (onStream) => listenForGuest(route, onStream),
      async start(signal) {
        const started = await startMachine(
          {
            machine,
            programs,
            vsock,
            folder: directory.path,
            consolePath,
            tpmState,
            quoteGenerationSocket,
            signal,
            log,
          },
          usable,
        );
        log.info("machine up", { pid: started.pid, platform, accelerator: started.accelerator });
        // What came up once is what comes up again.
        usable = [started.accelerator];
        stopWhenUnreachable(started, watch, log);
        return started;
      },
      close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

async function describe(
  { image, memoryMegabytes, processors, processorModel }: QemuSettings,
  platform: HostPlatform,
  document: Uint8Array,
): Promise<Machine> {
  const machine: Machine = {
    platform,
    ...(await readImage(image, platform, memoryMegabytes)),
    memoryMegabytes,
    processors,
    processorModel: processorModel ?? (platform === "sev-snp" ? SNP_MODEL : null),
    launchDigest: launchDigest(platform, document),
  };
  checkMachine(machine);
  return machine;
}

/**
 * What HOST_DATA (32 bytes) or MRCONFIGID (48 bytes) carries. A TPM has no place for it: there the enclave extends a
 * register.
 */
function launchDigest(platform: HostPlatform, document: Uint8Array): Uint8Array | null {
  if (platform === "vtpm") return null;
  return createHash(platform === "tdx" ? "sha384" : "sha256")
    .update(document)
    .digest();
}

/** Ends a machine whose enclave can be reached no more, as when its vsock daemon stalls, so that another is started. */
function stopWhenUnreachable(machine: EnclaveMachine, watch: WatchSettings, log: Log): void {
  const over = new AbortController();
  void machine.exited.then(() => over.abort());
  void waitUntilUnreachable(machine.dialer, over.signal, watch).then(async () => {
    if (over.signal.aborted) return;
    log.error("the enclave can be reached no more; its machine is stopped", { pid: machine.pid });
    await machine.stop();
  });
}
