import { join } from "node:path";
import { hybridVsockDialer } from "@cmcp/wire";
import { ENCLAVE_PORT } from "../../host-proxy/src/launcher/vsock/ports.ts";
import type { Machine } from "../../host-proxy/src/launcher/qemu/machine.ts";
import { servicesAddress, type EnclaveMachine } from "../../host-proxy/src/launcher/qemu/qemu.ts";
import { startMachine } from "../../host-proxy/src/launcher/qemu/accelerators.ts";
import { memoryLog } from "../../host-proxy/src/testing/memory-log.ts";
import { playedScript } from "../conformance/policy-tee/played-processor.ts";
import type { Owner, Place, PlayedProcessor, Target } from "../conformance/policy-tee/target.ts";
import { debugMachine, programs, published, releaseMachine, temporaryFolder } from "./image.ts";
import { writeOverlaid } from "./overlay.ts";

/** How the host reaches a machine of these tests: a vsock daemon of its own. */
const VSOCK = { kind: "daemon" } as const;

/** The published image in a machine with a software TPM; with a played processor, its initramfs with another script. */
export const machineTarget: Target = {
  name: "vm",
  measurements: published("measurements.json"),
  async open(owner, played) {
    const folder = temporaryFolder(owner);
    return placeOf(played === undefined ? releaseMachine() : await withPlayedProcessor(played, folder), folder, owner);
  },
};

async function withPlayedProcessor(played: PlayedProcessor, folder: string): Promise<Machine> {
  const initramfs = join(folder, "initramfs");
  await writeOverlaid(
    published("initramfs.cpio.zst"),
    { scripts: {}, files: { "/app/enclave.cjs": await playedScript(played) } },
    initramfs,
  );
  return debugMachine("none", initramfs);
}

/**
 * A place whose enclave is a machine under emulation.
 * @param printed hears every line of the machine's serial port
 */
export function placeOf(
  machine: Machine,
  folder: string,
  owner: Pick<Owner, "diagnostic">,
  printed: (line: string) => void = () => undefined,
): Place {
  return {
    dialer: hybridVsockDialer(join(folder, "vsock"), ENCLAVE_PORT),
    services: servicesAddress(VSOCK, folder),
    async start(): Promise<EnclaveMachine> {
      const { log, text } = memoryLog();
      try {
        const running = await startMachine({ machine, programs: await programs(), vsock: VSOCK, folder, log }, ["tcg"]);
        void running.exited.then(() => linesOf(text()).forEach(printed));
        return running;
      } catch (thrown) {
        // What the machine printed says why.
        owner.diagnostic(text());
        throw thrown;
      }
    },
  };
}

/** The serial port's lines in the log of a machine. */
function linesOf(log: string): string[] {
  const said = log
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { stream?: string; line?: string });
  return said.flatMap(({ stream, line }) => (stream === "stdout" && line !== undefined ? [line] : []));
}
