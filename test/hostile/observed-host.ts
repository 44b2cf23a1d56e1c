import { fileURLToPath } from "node:url";
import process from "node:process";
import {
  EnclaveLink,
  EgressRelay,
  createLog,
  egressAllowList,
  findIsolation,
  listenServices,
  makeRuntimeDirectory,
  openCosigner,
  SqliteStore,
  type Cosigner,
  startEnclaveProcess,
  type EnclaveProcess,
  type IsolationMeans,
} from "@cmcp/host-proxy";
import { examine } from "@cmcp/boundary";
import { readLaunchInputs } from "@cmcp/launch/files";
import { ExchangePool, unixDialer } from "@cmcp/wire";

const ENTRY = fileURLToPath(new URL("../../packages/cli/dist/enclave/enclave.cjs", import.meta.url));

/**
 * Called at every point of a call that the host can see, in order; throwing there is the host failing there. The host
 * goes on when it returns.
 */
export type Observe = (point: string) => void | Promise<void>;

type Batch = Parameters<SqliteStore["append"]>[0];

/** The host's own store, with an observer before and after each append. */
export class ObservedStore extends SqliteStore {
  observe: Observe = () => undefined;
  /** What was stored, in order. */
  readonly batches: Batch[] = [];

  override async append(batch: Batch): Promise<void> {
    for (const { kind } of batch.records) await this.observe(`${kind} received`);
    await super.append(batch);
    if (batch.first >= nextIndex(this.batches)) this.batches.push(batch);
    for (const { kind } of batch.records) await this.observe(`${kind} stored`);
  }
}

/** The index behind these batches. */
function nextIndex(batches: readonly Batch[]): number {
  const last = batches.at(-1);
  return last === undefined ? 0 : last.first + last.records.length;
}

/** The host's own relay, with an observer when a connection is asked for. */
class ObservedRelay extends EgressRelay {
  observe: Observe = () => undefined;

  override async serve(...args: Parameters<EgressRelay["serve"]>): Promise<void> {
    await this.observe("egress asked for");
    await super.serve(...args);
    await this.observe("egress ended");
  }
}

/** The host's own cosigner, with an observer before and after each round. */
class ObservedCosigner {
  observe: Observe = () => undefined;
  readonly #cosigner: Cosigner;

  constructor(cosigner: Cosigner) {
    this.#cosigner = cosigner;
  }

  async cosign(note: string): ReturnType<Cosigner["cosign"]> {
    await this.observe("cosigning asked for");
    const result = await this.#cosigner.cosign(note);
    await this.observe("cosigned");
    return result;
  }

  async close(): Promise<void> {
    await this.#cosigner.close();
  }
}

/** How the enclave answered an agent's request. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A host made of the real parts, whose every step a test can see and stop at. */
export interface ObservedHost {
  /** Starts an enclave process, launches and provisions it. */
  startEnclave(): Promise<EnclaveProcess>;
  /** Streams to the enclave, as the HTTP front uses them. */
  readonly pool: ExchangePool;
  readonly store: ObservedStore;
  /** One agent request through the wire. */
  request(method: string, path: string, body?: object, headers?: Readonly<Record<string, string>>): Promise<Reply>;
  observe(observer: Observe): void;
  close(): Promise<void>;
}

/** How a host differs from one of its own. */
export interface HostSettings {
  /** `false` starts the enclave with the network in reach. */
  readonly isolated?: boolean;
  /** A store that there is already, which who made it closes. */
  readonly record?: ObservedStore;
}

/** Composes a host around a deployment's configuration. */
export async function startObservedHost(
  config: string,
  env: Record<string, string>,
  { isolated = true, record }: HostSettings = {},
): Promise<ObservedHost> {
  const inputs = await readLaunchInputs(config, env);
  const log = createLog({ level: (process.env["CMCP_TEST_LOG"] ?? "silent") as "silent" });
  const store = record ?? new ObservedStore(null, { durable: false });
  const relay = new ObservedRelay(
    egressAllowList(inputs.egressTargets.map(({ host, port }) => `${host}:${port}`)),
    log,
  );
  const cosigner =
    inputs.witnesses === null ? null : new ObservedCosigner(await openCosigner(inputs.witnesses, store, log));
  const directory = await makeRuntimeDirectory();
  const services = await listenServices(directory.servicesSocket, {
    relay,
    store,
    log,
    ...(cosigner === null ? {} : { cosigner }),
  });
  const dialer = unixDialer(directory.enclaveSocket);
  const link = new EnclaveLink(dialer);
  const pool = new ExchangePool(dialer, { maxStreams: 64 });
  const means: IsolationMeans = isolated ? await findIsolation(true) : { isolation: "none", prefix: [] };
  const running = new Set<EnclaveProcess>();
  return {
    pool,
    store,
    request: async (method, path, body, extra = {}) => {
      const headers = {
        authorization: `Bearer ${env["CMCP_BEARER_TOKEN"] ?? ""}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...extra,
      };
      const exchange = await pool.open({ t: "request", method, path, headers });
      if (body !== undefined) await exchange.write(Buffer.from(JSON.stringify(body)));
      await exchange.end();
      const { status, headers: answered } = await exchange.head;
      let text = "";
      for await (const chunk of exchange.body) text += Buffer.from(examine(chunk)).toString();
      return { status, headers: answered, body: text };
    },
    observe: (observer) => {
      store.observe = observer;
      relay.observe = observer;
      if (cosigner !== null) cosigner.observe = observer;
    },
    startEnclave: async () => {
      const enclave = await startEnclaveProcess({
        nodePath: process.execPath,
        enclave: {
          entry: ENTRY,
          readable: [fileURLToPath(new URL("../../packages/cli/dist/enclave", import.meta.url))],
          extraFlags: [],
          extraArguments: [],
        },
        means,
        directory,
        dialer,
        log,
      });
      running.add(enclave);
      link.started();
      await link.launch(inputs.document);
      if (inputs.provision !== null) await link.provision(inputs.provision);
      link.ready();
      return enclave;
    },
    close: async () => {
      for (const enclave of running) await enclave.stop();
      await pool.close();
      await link.lost();
      await services.close();
      await cosigner?.close();
      if (record === undefined) await store.close();
      await directory.remove();
    },
  };
}
