import process from "node:process";
import { fileURLToPath } from "node:url";
import { asCmcpError } from "@cmcp/boundary";
import {
  createLog,
  findIsolation,
  makeRuntimeDirectory,
  startEnclaveProcess,
  type EnclaveProcess,
  type IsolationMeans,
  type RuntimeDirectory,
} from "@cmcp/host-proxy";
import {
  ExchangePool,
  listenUnix,
  serveStream,
  unixDialer,
  type IncomingExchange,
  type Listener,
  type Opening,
} from "@cmcp/wire";
import { LyingClock } from "./clock.ts";
import { LastWords } from "./last-words.ts";
import type { Deployed } from "./deployment.ts";
import { FrameMangler } from "./frames.ts";
import { ArmedLies, Standstill } from "./lies.ts";
import { LyingRelay, type Impostors } from "./relay.ts";
import { LyingStore, type StoreEvents } from "./store.ts";

const ENTRY = fileURLToPath(new URL("../../../packages/cli/dist/enclave/enclave.cjs", import.meta.url));
const BUNDLE = fileURLToPath(new URL("../../../packages/cli/dist/enclave", import.meta.url));
/** Streams to the enclave at a time. */
const MAX_STREAMS = 64;
/** How long a control message may take without a lie. */
export const CONTROL_MS = 20_000;

/** What the host tells the test. */
export interface HostListener extends Omit<StoreEvents, "point"> {
  /** Bytes that the enclave sent towards a tool server. */
  readonly seen: (bytes: Uint8Array) => void;
  /** Something came to a standstill. */
  readonly stalled: () => void;
  /** The process ended, and nobody killed it. */
  readonly crashed: (how: string) => void;
}

/** A host that serves a real enclave process, and lies where it is told to. */
export class HostileHost {
  readonly lies = new ArmedLies();
  readonly standstill: Standstill;
  readonly store: LyingStore;
  readonly relay: LyingRelay;
  /** What the host writes where the enclave asked for something. */
  readonly answers: FrameMangler;
  /** What the host writes where it asks the enclave. */
  readonly requests: FrameMangler;
  readonly clock: LyingClock;
  readonly #deployed: Deployed;
  readonly #listener: HostListener;
  readonly #directory: RuntimeDirectory;
  readonly #means: IsolationMeans;
  readonly #words = new LastWords();
  readonly #log = createLog({ level: "info", destination: this.#words });
  #services: Listener | null = null;
  #enclave: EnclaveProcess | null = null;
  /** Processes that were killed, whose end is no crash, or that ended. */
  readonly #ended = new WeakSet<EnclaveProcess>();
  #pool: ExchangePool | null = null;
  #killIn = 0;
  /** What the last enclave refused its launch with. It ends then, and that is no crash. */
  #launching: Promise<string | null> = Promise.resolve(null);

  private constructor(
    deployed: Deployed,
    listener: HostListener,
    parts: { directory: RuntimeDirectory; means: IsolationMeans; clock: LyingClock; impostors: Impostors },
  ) {
    this.#deployed = deployed;
    this.#listener = listener;
    this.#directory = parts.directory;
    this.#means = parts.means;
    this.clock = parts.clock;
    const point = (): void => this.#point();
    this.standstill = new Standstill(listener.stalled);
    this.answers = new FrameMangler(this.lies, "answer");
    this.requests = new FrameMangler(this.lies, "request");
    this.store = new LyingStore(this.lies, this.standstill, { ...listener, point });
    this.relay = new LyingRelay({
      lies: this.lies,
      standstill: this.standstill,
      impostors: parts.impostors,
      events: { point, seen: listener.seen },
    });
  }

  static async start(deployed: Deployed, impostors: Impostors, listener: HostListener): Promise<HostileHost> {
    const directory = await makeRuntimeDirectory();
    const clock = await LyingClock.in(directory.path);
    const host = new HostileHost(deployed, listener, {
      directory,
      means: await findIsolation(true),
      clock,
      impostors,
    });
    host.#services = await listenUnix(directory.servicesSocket, (stream) =>
      serveStream(host.answers.attach(stream), async (exchange) => await host.#serve(exchange)),
    );
    return host;
  }

  /** Whether there is a process that nobody has killed. */
  get alive(): boolean {
    return this.#enclave !== null && !this.#ended.has(this.#enclave);
  }

  /** How many lies of data and frames were told. */
  get told(): number {
    return this.lies.told;
  }

  /** The enclave's process. */
  get pid(): number {
    return this.#enclave?.pid ?? 0;
  }

  /** Streams to the enclave. */
  get pool(): ExchangePool {
    if (this.#pool === null) throw new Error("no enclave was started");
    return this.#pool;
  }

  /** Starts an enclave, hands it the launch document and provisions it. Returns what it refused that with, if it did. */
  async startEnclave(): Promise<string | null> {
    await this.kill();
    await this.#pool?.close();
    const socket = unixDialer(this.#directory.enclaveSocket);
    this.#pool = new ExchangePool(
      { address: socket.address, dial: async (signal) => this.requests.attach(await socket.dial(signal)) },
      { maxStreams: MAX_STREAMS },
    );
    const enclave = await startEnclaveProcess({
      nodePath: process.execPath,
      enclave: {
        entry: ENTRY,
        readable: [BUNDLE, this.clock.folder],
        extraFlags: this.clock.flags,
        extraArguments: [],
      },
      means: this.#means,
      directory: this.#directory,
      dialer: socket,
      log: this.#log,
    });
    this.#enclave = enclave;
    this.#launching = this.control({ t: "launch" }, this.#deployed.document);
    void enclave.exited.then(async (exit) => {
      if (this.#ended.has(enclave)) return;
      this.#ended.add(enclave);
      const refused = await this.#launching;
      if (refused !== null && !refused.startsWith("WIRE_")) return;
      this.#listener.crashed(`${JSON.stringify(exit)} ${await this.#words.said()}`);
    });
    return (await this.#launching) ?? (await this.control({ t: "provision" }, this.#deployed.provision));
  }

  /** Sends a control message; `null` where the enclave takes it, else the code of its refusal. */
  async control(opening: Opening, body: Uint8Array, waitMs = CONTROL_MS): Promise<string | null> {
    try {
      const exchange = await this.pool.open(opening, AbortSignal.timeout(waitMs));
      const sent = (async (): Promise<void> => {
        if (body.length > 0) await exchange.write(body);
        await exchange.end();
      })();
      sent.catch(() => undefined);
      await exchange.head;
      for await (const _ of exchange.body); // what it answers is of no interest
      return null;
    } catch (thrown) {
      return asCmcpError(thrown, "INTERNAL", "the control message failed").code;
    }
  }

  /** Kills the enclave at the n-th point from now on that the host sees; 0 is now. */
  killAfter(points: number): void {
    if (points === 0) this.#kill();
    else this.#killIn = points;
  }

  /** Kills the enclave and waits until it is gone. */
  async kill(): Promise<void> {
    const enclave = this.#enclave;
    this.#kill();
    await enclave?.exited;
  }

  /** From here on the host serves: nothing is armed, nothing stands still. The clock keeps running where it was set. */
  behave(): void {
    this.lies.clear();
    this.#killIn = 0;
    this.standstill.release();
    // Bytes that were changed may leave a stream waiting for the rest of a frame.
    for (const mangler of [this.answers, this.requests]) if (mangler.lied) mangler.cut();
  }

  async close(): Promise<void> {
    this.behave();
    await this.kill();
    await this.#pool?.close();
    await this.#services?.close();
    await this.store.close();
    await this.#directory.remove();
  }

  #kill(): void {
    if (this.#enclave === null || this.#ended.has(this.#enclave)) return;
    this.#ended.add(this.#enclave);
    try {
      process.kill(this.#enclave.pid, "SIGKILL");
    } catch (thrown) {
      // It has just ended by itself, which is a finding of its own.
      this.#listener.crashed(String(thrown));
    }
  }

  #point(): void {
    if (this.#killIn === 0) return;
    this.#killIn -= 1;
    if (this.#killIn === 0) this.#kill();
  }

  async #serve(exchange: IncomingExchange): Promise<void> {
    const { opening } = exchange;
    if (opening.t === "append") return await this.store.append(exchange, opening);
    if (opening.t === "scan") return await this.store.scan(exchange, opening);
    if (opening.t === "head") return await this.store.head(exchange);
    if (opening.t === "range") return await this.store.range(exchange, opening);
    if (opening.t === "prove") return await this.store.prove(exchange, opening);
    if (opening.t === "egress") return await this.relay.serve(exchange, opening.host, opening.port);
    throw new Error(`the enclave asked for ${opening.t}`);
  }
}
