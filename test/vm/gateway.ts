import { BlobStore, EgressRelay, EnclaveLink, createLog, egressAllowList, listenServices } from "@cmcp/host-proxy";
import { examine } from "@cmcp/boundary";
import { readLaunchInputs } from "@cmcp/launch/files";
import { ExchangePool } from "@cmcp/wire";
import type { Machine } from "../../host-proxy/src/launch/machine.ts";
import { servicesAddress, type EnclaveMachine } from "../../host-proxy/src/launch/qemu.ts";
import { started } from "./image.ts";
import type { TestContext } from "node:test";

/** How the enclave answered an agent's request. */
export interface Reply {
  readonly status: number;
  readonly text: string;
}

/** A gateway whose enclave is a machine, composed of the host's own parts. */
export interface MachineGateway {
  readonly machine: EnclaveMachine;
  request(method: string, path: string, body?: object): Promise<Reply>;
}

/** Starts the machine with a deployment's configuration, launches and provisions it. */
export async function startMachineGateway(t: TestContext, { config, environment, machine, folder }: { config: string; environment: Readonly<Record<string, string>>; machine: Machine; folder: string }): Promise<MachineGateway> {
  const inputs = await readLaunchInputs(config, { ...environment });
  const log = createLog({ level: "silent" });
  const store = new BlobStore(null);
  const relay = new EgressRelay(egressAllowList(inputs.egressTargets.map(({ host, port }) => `${host}:${port}`)), log);
  const services = await listenServices(servicesAddress({ kind: "daemon" }, folder), { relay, store, log });
  t.after(async () => {
    await services.close();
    store.close();
  });
  const running = await started(t, machine, folder);
  const link = new EnclaveLink(running.dialer);
  const pool = new ExchangePool(running.dialer, { maxStreams: 16 });
  t.after(async () => {
    await pool.close();
    await link.lost();
  });
  link.started();
  await link.launch(inputs.document);
  await link.provision(inputs.provision);
  link.ready();
  const headers = { authorization: `Bearer ${environment["CMCP_BEARER_TOKEN"] ?? ""}`, "content-type": "application/json", accept: "application/json, text/event-stream" };
  return {
    machine: running,
    async request(method, path, body) {
      const exchange = await pool.open({ t: "request", method, path, headers });
      if (body !== undefined) await exchange.write(Buffer.from(JSON.stringify(body)));
      await exchange.end();
      const { status } = await exchange.head;
      let text = "";
      for await (const chunk of exchange.body) text += Buffer.from(examine(chunk)).toString();
      return { status, text };
    },
  };
}
