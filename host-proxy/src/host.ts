import { EventEmitter } from "node:events";
import { dirname } from "node:path";
import { asCmcpError } from "@cmcp/boundary";
import { unixDialer } from "@cmcp/wire";
import { egressAllowList } from "./egress/allow-list.ts";
import { EgressRelay } from "./egress/relay.ts";
import { FRONT_LIMITS, type FrontLimits } from "./front/limits.ts";
import { startFront, type Front } from "./front/server.ts";
import { findIsolation, type Isolation } from "./launcher/isolation.ts";
import { startEnclaveProcess } from "./launcher/process.ts";
import type { SpawnerSettings } from "./launcher/spawner.ts";
import { makeRuntimeDirectory } from "./launcher/runtime-directory.ts";
import { EnclaveSupervisor } from "./launcher/supervisor.ts";
import { EnclaveLink } from "./link/enclave-link.ts";
import type { Log } from "./log.ts";
import { PolicyWatcher, type PolicySource } from "./policy/watcher.ts";
import { listenServices } from "./services.ts";
import { BlobStore } from "./store/blob-store.ts";

export interface HostOptions {
  readonly listen: { readonly host: string; readonly port: number };
  /** The launch document and the provisioning statement, opaque; sent to every enclave process that is started. */
  readonly launch: Uint8Array;
  readonly provision: Uint8Array;
  /** `host:port` of every tool server, exactly. */
  readonly egressAllow: readonly string[];
  /** File of the audit store; `null` keeps it in memory. */
  readonly storePath: string | null;
  readonly enclave: {
    /** Absolute path of the CommonJS entry. Its folder is readable to the process. */
    readonly entry: string;
    readonly nodePath: string;
    /** Lets the enclave start without network isolation, with a warning. */
    readonly developmentMode: boolean;
    readonly extraFlags?: readonly string[];
    readonly extraArguments?: readonly string[];
    /** Command socket of a software TPM that stands for the machine's, for development and tests. */
    readonly tpmSocket?: string;
    /** The spawner of stdio servers, when the catalog has any. */
    readonly spawner?: SpawnerSettings;
  };
  /** Where another policy bundle may appear; without it nobody looks. */
  readonly policy?: PolicySource;
  readonly log: Log;
  readonly frontLimits?: FrontLimits;
}

export interface HostEvents {
  /** An enclave process was launched and provisioned. */
  up: [{ pid: number }];
  /** An enclave process has ended. */
  down: [];
}

/** A running gateway, seen from outside. */
export interface Host {
  readonly address: { readonly host: string; readonly port: number };
  /** `undefined` while an enclave is being restarted. */
  readonly enclavePid: number | undefined;
  readonly isolation: Isolation;
  readonly events: EventEmitter<HostEvents>;
  /**
   * Hands the enclave another provisioning statement, now and after every restart.
   * @throws CmcpError what the enclave refuses it with; the one before then stays
   */
  provision(statement: Uint8Array): Promise<void>;
  /** Drains: no new requests, open ones finish within bounds, then everything stops and is removed. */
  close(): Promise<void>;
}

/**
 * Starts everything on the untrusted side: store, services, the enclave process, its launch and
 * provisioning, and last the HTTP endpoint. When a step fails, the steps before it are undone.
 * @throws CmcpError of the step that failed; the enclave's own refusals pass unchanged
 */
export async function startHost(options: HostOptions): Promise<Host> {
  const { log } = options;
  const undo: (() => Promise<void>)[] = [];
  const undoAll = async (): Promise<void> => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  let closing: Promise<void> | undefined;
  let provision = options.provision;
  try {
    const relay = new EgressRelay(egressAllowList(options.egressAllow), log);
    const means = await findIsolation(options.enclave.developmentMode);
    if (means.isolation === "none") log.warn("the enclave process can reach the network: development only", { isolation: "none" });
    const store = new BlobStore(options.storePath);
    undo.push(async () => store.close());
    const directory = await makeRuntimeDirectory();
    undo.push(() => directory.remove());
    const services = await listenServices(directory.servicesSocket, { relay, store, log });
    undo.push(() => services.close());

    const dialer = unixDialer(directory.enclaveSocket);
    const link = new EnclaveLink(dialer);
    const events = new EventEmitter<HostEvents>();
    const watcher = options.policy === undefined ? undefined : new PolicyWatcher(options.policy, link, log);
    const { entry, nodePath, extraFlags = [], extraArguments = [], tpmSocket, spawner } = options.enclave;
    const enclave = { entry, readable: [dirname(entry)], extraFlags, extraArguments };
    const supervisor = new EnclaveSupervisor(
      {
        start: () => startEnclaveProcess({ nodePath, enclave, means, directory, dialer, log, ...(tpmSocket === undefined ? {} : { tpmSocket }), ...(spawner === undefined ? {} : { spawner: { ...spawner, developmentMode: options.enclave.developmentMode } }) }),
        up: async ({ pid }) => {
          link.started();
          await link.launch(options.launch);
          for (let sent: Uint8Array | undefined; sent !== provision; ) {
            sent = provision;
            await link.provision(sent);
          }
          await watcher?.launched();
          link.ready();
          log.info("enclave up", { pid, isolation: means.isolation });
          events.emit("up", { pid });
        },
        down: async () => {
          await link.lost();
          events.emit("down");
        },
      },
      log,
    );
    undo.push(() => supervisor.close());
    await supervisor.start();
    watcher?.start();
    undo.push(async () => watcher?.stop());
    const front: Front = await startFront(options.listen, { link, limits: options.frontLimits ?? FRONT_LIMITS, log });
    undo.push(async () => {
      link.refuseNew();
      await front.close();
      await drainEnclave(link, log);
    });
    return {
      address: front.address,
      isolation: means.isolation,
      events,
      provision: async (statement) => {
        const before = provision;
        provision = statement;
        // An enclave that is only starting is given the latest statement by the loop above.
        if (link.state !== "up") return;
        try {
          await link.provision(statement);
        } catch (thrown) {
          // One that is gone is replaced by another, which may well take it.
          if (link.state === "up" && provision === statement) provision = before;
          throw thrown;
        }
      },
      close: () => (closing ??= undoAll()),
      get enclavePid() {
        return supervisor.pid;
      },
    };
  } catch (thrown) {
    await undoAll();
    throw thrown;
  }
}

async function drainEnclave(link: EnclaveLink, log: Log): Promise<void> {
  if (link.state === "down") return;
  try {
    await link.drain();
  } catch (thrown) {
    log.warn("the enclave did not drain", { code: asCmcpError(thrown, "INTERNAL", "drain failed").code });
  }
}
