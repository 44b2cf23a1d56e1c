import { BlobStore, EgressRelay, EnclaveLink, FRONT_LIMITS, createLog, egressAllowList, listenServices, startFront } from "@cmcp/host-proxy";
import { readLaunchInputs } from "@cmcp/launch/files";
import type { Machine } from "../../host-proxy/src/launch/machine.ts";
import { servicesAddress, type EnclaveMachine } from "../../host-proxy/src/launch/qemu.ts";
import { startMachine } from "../../host-proxy/src/launch/start-machine.ts";
import { memoryLog } from "../../host-proxy/src/testing/memory-log.ts";
import { programs } from "./image.ts";

/** A gateway whose enclave is a machine, composed of the host's own parts. */
export interface MachineGateway {
  readonly url: string;
  readonly machine: EnclaveMachine;
  /** The launch document's bytes, as they were sent. */
  readonly launchDocument: Uint8Array;
  close(): Promise<void>;
}

/** Where the machine's parts come from. */
export interface MachineGatewayOptions {
  /** The configuration file of the deployment. */
  readonly config: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly machine: Machine;
  /** Private folder of the machine. */
  readonly folder: string;
}

/** Starts a machine, launches and provisions its enclave, and opens the agents' endpoint. */
export async function startMachineGateway({ config, environment, machine, folder }: MachineGatewayOptions): Promise<MachineGateway> {
  const inputs = await readLaunchInputs(config, { ...environment });
  const quiet = createLog({ level: "silent" });
  const { log, text } = memoryLog();
  const undo: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    const store = new BlobStore(null);
    undo.push(async () => store.close());
    const relay = new EgressRelay(egressAllowList(inputs.egressTargets.map(({ host, port }) => `${host}:${port}`)), quiet);
    const services = await listenServices(servicesAddress({ kind: "daemon" }, folder), { relay, store, log: quiet });
    undo.push(() => services.close());
    const running = await startMachine({ machine, programs: await programs(), vsock: { kind: "daemon" }, folder, log }, ["tcg"]);
    undo.push(() => running.stop());
    const link = new EnclaveLink(running.dialer);
    undo.push(() => link.lost());
    link.started();
    await link.launch(inputs.document);
    await link.provision(inputs.provision);
    link.ready();
    const front = await startFront({ host: "127.0.0.1", port: 0 }, { link, limits: FRONT_LIMITS, log: quiet });
    undo.push(() => front.close());
    return { url: `http://127.0.0.1:${front.address.port}`, machine: running, launchDocument: inputs.document, close };
  } catch (thrown) {
    await close();
    // What the machine printed says why.
    process.stderr.write(text());
    throw thrown;
  }
}
