import { EventEmitter } from "node:events";
import { asCmcpError, type CmcpError } from "@cmcp/boundary";
import { egressAllowList } from "./egress/allow-list.ts";
import { EgressRelay } from "./egress/relay.ts";
import { peerIdentityHeader } from "./front/peer-identity.ts";
import { FRONT_LIMITS, type FrontLimits } from "./front/limits.ts";
import { startFront, type Front } from "./front/server.ts";
import type { Launcher, EnclaveLocation } from "./launcher/launcher.ts";
import { openLauncher, type LauncherSettings } from "./launcher/open.ts";
import { EnclaveSupervisor, type SupervisorHooks } from "./launcher/supervisor.ts";
import { EnclaveLink } from "./link/enclave-link.ts";
import type { Log } from "./log.ts";
import { Provisioning } from "./link/provisioning.ts";
import { ReloadWatcher, type ReloadSource } from "./reload/watcher.ts";
import { servicesOf } from "./services.ts";
import { openForHost, type HostStore, type HostStoreLocation } from "./store/open-store.ts";
import { Retention } from "./store/retention.ts";
import { WriterFence } from "./store/writer-fence.ts";
import { openCosigner, type HostWitnesses } from "./witness/open-cosigner.ts";

export interface HostOptions {
  readonly listen: { readonly host: string; readonly port: number };
  /** The launch document, opaque; sent to every enclave that is started. */
  readonly launch: Uint8Array;
  /** The provision message, likewise; `null` where others give tokens and credentials, in statements that the host only passes on. */
  readonly provision: Uint8Array | null;
  /** `host:port` of every tool server, exactly. */
  readonly egressAllow: readonly string[];
  /** Absolute path of the files of every stdio server. */
  readonly trees?: readonly string[];
  /** File of the audit store; `null` keeps it in memory. */
  readonly storePath: string | null;
  /** The PostgreSQL database that has the log of an origin, in place of the file. */
  readonly database?: { readonly url: string; readonly origin: string };
  /** Folder of bodies that left the audit store. */
  readonly archivePath?: string;
  /** Days after which bodies go there by themselves; without it they stay. */
  readonly auditorsTermDays?: number;
  /** Witnesses of the log; `null` for none. With them the store acknowledges only what is on the disk. */
  readonly witnesses: HostWitnesses | null;
  /** What the enclave runs in, or a launcher of the caller's own. */
  readonly enclave: LauncherSettings | Launcher;
  /** Where newer policy bundles and catalogs appear; without it none is looked for. */
  readonly reload?: ReloadSource;
  readonly log: Log;
  /** Aborts the start. A running host is stopped with `close`. */
  readonly signal?: AbortSignal;
  readonly frontLimits?: FrontLimits;
  /**
   * The header in which a TLS proxy before this host reports the client certificate; trusted from any peer that can
   * connect.
   */
  readonly peerIdentityHeader?: string;
}

export interface HostEvents {
  /** An enclave was launched and provisioned. */
  up: [{ pid: number | undefined }];
  /** An enclave has ended. */
  down: [];
}

/** A running gateway, seen from outside. */
export interface Host {
  readonly address: { readonly host: string; readonly port: number };
  /** `undefined` while an enclave is being restarted, and for a machine that somebody else started. */
  readonly enclavePid: number | undefined;
  readonly placement: EnclaveLocation;
  readonly events: EventEmitter<HostEvents>;
  /** Resolves when the enclave has ended and is not started again, because another gateway writes the log. */
  readonly superseded: Promise<CmcpError>;
  /**
   * Sends the enclave another provision message, now and after every restart.
   * @throws CmcpError the enclave's refusal; the message before then stays in use
   */
  provision(message: Uint8Array): Promise<void>;
  /** Drains: no new requests, open ones finish within bounds, then everything stops and is removed. */
  close(): Promise<StopResult>;
}

/** The result of a stop. */
export interface StopResult {
  /** The enclave closed every open session with its claim. */
  readonly drained: boolean;
}

/**
 * Starts everything on the untrusted side: store, services, the enclave, its launch and
 * provisioning, and last the HTTP endpoint. When a step fails, the steps before it are undone.
 * @throws CmcpError of the step that failed; the enclave's own refusals pass unchanged
 */
export async function startHost(options: HostOptions): Promise<Host> {
  const { log } = options;
  const undo: (() => Promise<void>)[] = [];
  const undoAll = async (): Promise<void> => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  let closing: Promise<StopResult> | undefined;
  let drained = true;
  try {
    const relay = new EgressRelay(egressAllowList(options.egressAllow), log);
    const { witnesses } = options;
    const location = options.database ?? { path: options.storePath };
    const fence = new WriterFence(location);
    const store = await openStore(location, options, undo);
    const cosigner = witnesses === null ? null : await openCosigner(witnesses, store, log);
    undo.push(async () => await cosigner?.close());
    const { enclave } = options;
    const launcher = "dialer" in enclave ? enclave : await openLauncher(enclave, options.launch, log);
    const { placement } = launcher;
    undo.push(() => launcher.close());
    const services = await launcher.listen(
      servicesOf({ relay, store, fence, log, trees: options.trees ?? [], ...(cosigner === null ? {} : { cosigner }) }),
    );
    undo.push(() => services.close());

    const link = new EnclaveLink(launcher.dialer);
    const events = new EventEmitter<HostEvents>();
    const watcher = watcherOf(options, { link, relay });
    const provisioning = new Provisioning(link, options.provision);
    const duties = dutiesOf({ launcher, link, provisioning, watcher, events, fence }, options);
    const supervisor = new EnclaveSupervisor(duties, log);
    undo.push(() => supervisor.close());
    await startUnlessAborted(supervisor, fence, options.signal);
    watcher?.start();
    undo.push(async () => watcher?.stop());
    const front = await openFront(link, options);
    undo.push(async () => {
      link.refuseNew();
      // In parallel: the enclave ends the streams that agents listen on, and the front waits for these.
      [drained] = await Promise.all([drainEnclave(link, log), front.close()]);
    });
    return {
      address: front.address,
      placement,
      events,
      superseded: fence.superseded,
      provision: (message) => provisioning.replace(message),
      close: () => (closing ??= undoAll().then(() => ({ drained }))),
      get enclavePid() {
        return supervisor.pid;
      },
    };
  } catch (thrown) {
    await undoAll();
    throw thrown;
  }
}

/** What looks for newer policy bundles and catalogs, if anything does. */
function watcherOf(
  { reload, log }: HostOptions,
  { link, relay }: { readonly link: EnclaveLink; readonly relay: EgressRelay },
): ReloadWatcher | undefined {
  if (reload === undefined) return undefined;
  const allowEgress = (destinations: readonly string[]): void => relay.allow(egressAllowList(destinations));
  return new ReloadWatcher(reload, { link, allowEgress, log });
}

/** Opens the log, from which old bodies move to the archive where there are a folder and a term for them. */
async function openStore(
  location: HostStoreLocation,
  { archivePath, auditorsTermDays: termDays, witnesses, log }: HostOptions,
  undo: (() => Promise<void>)[],
): Promise<HostStore> {
  const store = await openForHost(location, {
    log,
    // Otherwise a loss of power leaves the witnesses ahead of the disk, and none of them cosigns again.
    durable: witnesses !== null,
    ...(archivePath === undefined ? {} : { archive: archivePath }),
  });
  undo.push(async () => await store.close());
  if (archivePath === undefined || termDays === undefined) return store;
  const retention = new Retention(store, { termDays });
  retention.start(log);
  undo.push(async () => await retention.close());
  return store;
}

interface Parts {
  readonly launcher: Launcher;
  readonly link: EnclaveLink;
  readonly provisioning: Provisioning;
  readonly watcher: ReloadWatcher | undefined;
  readonly events: EventEmitter<HostEvents>;
  readonly fence: WriterFence;
}

/** What happens to every enclave that starts: launch, provisioning, the latest policy and catalog, and only then requests. */
function dutiesOf(
  { launcher, link, provisioning, watcher, events, fence }: Parts,
  { launch, log }: HostOptions,
): SupervisorHooks {
  const { placement } = launcher;
  return {
    start: (signal) => {
      fence.reset();
      return launcher.start(signal);
    },
    up: async ({ pid }, signal) => {
      link.started();
      await link.launch(launch);
      await provisioning.sendLatest();
      await watcher?.launched(signal);
      link.ready();
      log.info("enclave up", { pid, launcher: placement.launcher, isolation: placement.isolation });
      events.emit("up", { pid });
    },
    down: async () => {
      await link.lost();
      events.emit("down");
    },
    mayRestart: () => fence.mayRestart(),
  };
}

/** Starts the enclave; an abort before it is up ends it. */
async function startUnlessAborted(
  supervisor: EnclaveSupervisor,
  fence: WriterFence,
  signal: AbortSignal | undefined,
): Promise<void> {
  const giveUp = (): void => void supervisor.close();
  signal?.addEventListener("abort", giveUp, { once: true });
  if (signal?.aborted === true) giveUp();
  await supervisor.start().catch((thrown: unknown) => {
    // An enclave that ends because another gateway writes the log says less.
    throw fence.error ?? thrown;
  });
  signal?.removeEventListener("abort", giveUp);
}

async function openFront(link: EnclaveLink, options: HostOptions): Promise<Front> {
  const { listen, frontLimits: limits = FRONT_LIMITS, log, peerIdentityHeader: header } = options;
  const identity = header === undefined ? {} : { identityHeader: peerIdentityHeader(header) };
  return await startFront(listen, { link, limits, log, ...identity });
}

/** True if every open session was closed with its claim. An enclave that has died has no sessions. */
async function drainEnclave(link: EnclaveLink, log: Log): Promise<boolean> {
  if (link.state === "down") return true;
  try {
    const sessions = await link.drain((open) => log.info("sessions are being closed", { sessions: open }));
    if (sessions === 0) return true;
    log.error("sessions were not closed and have no claim", { sessions });
  } catch (thrown) {
    log.warn("the enclave did not drain", { code: asCmcpError(thrown, "INTERNAL", "drain failed").code });
  }
  return false;
}
