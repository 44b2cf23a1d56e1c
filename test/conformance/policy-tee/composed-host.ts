import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  EgressRelay,
  EnclaveLink,
  FRONT_LIMITS,
  createLog,
  egressAllowList,
  listenServices,
  SqliteStore,
  startFront,
  type EnclaveProcess,
  type LogStore,
} from "@cmcp/host-proxy";
import { readLaunchInputs } from "@cmcp/launch/files";
import { ExchangePool } from "@cmcp/wire";
import { giveToken, TOKEN } from "./deployment.ts";
import type { Owner, Place } from "./target.ts";

/** A host that belongs to the test, composed of the host's own parts, with an enclave that waits for its launch document. */
export interface ComposedHost {
  /** What decides, as a process of this machine. */
  readonly enclave: EnclaveProcess;
  /** The launch document of the deployment as it is on disk. */
  readonly document: Uint8Array;
  /** Streams straight to the enclave, past the HTTP front. */
  readonly pool: ExchangePool;
  /** Hands a launch document over. @throws CmcpError with the enclave's code when it refuses */
  launch(document: Uint8Array): Promise<void>;
  /** Provisions the launched enclave and opens the agents' endpoint. */
  serve(): Promise<Gateway>;
  close(): Promise<void>;
}

/** The agents' endpoint of a composed host. */
export interface Gateway {
  readonly url: string;
  readonly mcp: string;
  /** One agent's request; its answer's text. */
  request(path: string, method?: "GET" | "POST"): Promise<string>;
}

/** What a test gives a host of its own. */
export interface HostParts {
  readonly environment?: Readonly<Record<string, string>>;
  /** What the host keeps, where more than one enclave is fed with it; the caller closes it. */
  readonly record?: LogStore;
}

/**
 * Starts the host's services and an enclave for a deployment. Everything ends with `owner`, or before, when it is closed.
 */
export async function composeHost(
  owner: Pick<Owner, "after">,
  place: Place,
  config: string,
  { environment = {}, record }: HostParts = {},
): Promise<ComposedHost> {
  const inputs = await readLaunchInputs(config, environment);
  const quiet = createLog({ level: "silent" });
  const undo: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  owner.after(close);
  const store = record ?? new SqliteStore(null, { durable: false });
  if (record === undefined) undo.push(() => store.close());
  const relay = new EgressRelay(
    egressAllowList(inputs.egressTargets.map(({ host, port }) => `${host}:${port}`)),
    quiet,
  );
  const services = await listenServices(place.services, { relay, store, trees: inputs.stdioTrees, log: quiet });
  undo.push(() => services.close());
  const enclave = await place.start();
  undo.push(() => enclave.stop());
  const pool = new ExchangePool(place.dialer, { maxStreams: 16 });
  undo.push(() => pool.close());
  const link = new EnclaveLink(place.dialer);
  undo.push(() => link.lost());
  link.started();
  return {
    enclave,
    document: inputs.document,
    pool,
    async launch(document) {
      await link.launch(document);
    },
    async serve() {
      if (inputs.provision !== null) await link.provision(inputs.provision);
      link.ready();
      const front = await startFront({ host: "127.0.0.1", port: 0 }, { link, limits: FRONT_LIMITS, log: quiet });
      undo.push(() => front.close());
      const url = `http://127.0.0.1:${front.address.port}`;
      if (inputs.provision === null) await giveToken(url);
      return { url, mcp: `${url}/mcp`, request: async (path, method) => await requested(`${url}${path}`, method) };
    },
    close,
  };
}

/** One request of the only principal's; its answer's text. */
export async function requested(url: string, method: "GET" | "POST" = "GET"): Promise<string> {
  const reply = await fetch(url, { method, headers: { authorization: `Bearer ${TOKEN}` } });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`${url}: ${reply.status} ${text}`);
  return text;
}

/** Starts an enclave, launches it with the deployment's document as it is on disk, and serves. */
export async function serveComposed(
  owner: Pick<Owner, "after">,
  place: Place,
  config: string,
  parts: HostParts = {},
): Promise<ComposedHost & Gateway> {
  const host = await composeHost(owner, place, config, parts);
  await host.launch(host.document);
  return { ...host, ...(await host.serve()) };
}

/** Records of one session, as paths of files. */
export interface SessionRecords {
  readonly claim: string;
  readonly evidence: string;
  readonly bundle: string;
  readonly launchDocument: string;
}

/** Closes a session and writes what its relying party gets into a folder that is there. */
export async function closeSession(
  { request, document }: Pick<ComposedHost & Gateway, "request" | "document">,
  session: string,
  folder: string,
): Promise<SessionRecords> {
  const written = async (name: string, content: string | Uint8Array): Promise<string> => {
    await writeFile(join(folder, name), content);
    return join(folder, name);
  };
  return {
    evidence: await written("evidence.json", await request(`/sessions/${session}/evidence`)),
    claim: await written("claim.json", await request(`/sessions/${session}/close`, "POST")),
    bundle: await written("bundle.json", await request(`/audit/export?session_id=${session}`)),
    launchDocument: await written("launch.json", document),
  };
}
