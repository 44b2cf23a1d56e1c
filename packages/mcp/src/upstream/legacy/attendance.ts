import { setTimeout as sleep } from "node:timers/promises";
import type { Peer } from "../../peer.ts";
import { reaches } from "../../log-level.ts";
import { keepListening, listeningLimits, rateLimited, type Attending, type Notified } from "../listening.ts";
import type { UpstreamLimits } from "../options.ts";
import type { UpstreamSession } from "./session.ts";
import type { LegacyTransport } from "./transport.ts";

/** How long a call waits for the session's own stream to be there, in milliseconds. */
const OPEN_MS = 2_000;

/** A session's own stream while calls of an agent run that can be asked. */
interface Attended {
  readonly session: UpstreamSession;
  /** Callers of what runs, latest last. */
  readonly attending: Set<Attending>;
  readonly opened: Promise<void>;
  readonly stop: AbortController;
}

/**
 * Servers of the legacy era may ask on the session's own stream for what they need to answer a call, and many log there.
 * While calls of an agent run that can be asked or wants logs, that stream is open, and what comes on it is for the
 * latest of them.
 */
export class Attendance {
  readonly #transport: LegacyTransport;
  readonly #limits: UpstreamLimits;
  readonly #streams = new Map<string, Attended>();

  constructor(transport: LegacyTransport, limits: UpstreamLimits) {
    this.#transport = transport;
    this.#limits = listeningLimits(limits);
  }

  /** Runs `call` with the stream open, when the caller can be asked, or has said what it wants to hear of logs. */
  async during<T>(key: string, session: UpstreamSession, peer: Peer, call: () => Promise<T>): Promise<T> {
    const askable = peer.input === "ask" && Object.keys(peer.capabilities).length > 0;
    if (!askable && !(peer.wantsLog && peer.logLevel !== null)) return await call();
    const known = this.#streams.get(key);
    const attended = known?.session === session ? known : this.#open(session);
    this.#streams.set(key, attended);
    const over = new AbortController();
    const attending = { peer, over: over.signal };
    attended.attending.add(attending);
    try {
      await attended.opened;
      return await call();
    } finally {
      attended.attending.delete(attending);
      over.abort();
      if (attended.attending.size === 0) {
        attended.stop.abort();
        if (this.#streams.get(key) === attended) this.#streams.delete(key);
      }
    }
  }

  #open(session: UpstreamSession): Attended {
    const attending = new Set<Attending>();
    const stop = new AbortController();
    const { promise, resolve } = Promise.withResolvers<void>();
    const latest = (): Attending | undefined => [...attending].at(-1);
    const listener = { notified: logTo(() => latest()?.peer), asked: latest, opened: resolve };
    const ended = keepListening((position) => this.#transport.listen(session, listener, stop.signal, this.#limits, position), stop.signal);
    // A server without such a stream, or one that is slow to open it, does not hold the call back.
    const opened = Promise.race([promise, ended, sleep(OPEN_MS, undefined, { ref: false })]).then(() => undefined);
    return { session, attending, opened, stop };
  }
}

/** Passes log messages on; who cannot take one is told of none, as nothing waits here. */
function logTo(latest: () => Peer | undefined): Notified {
  return rateLimited((method, params) => {
    const peer = latest();
    if (method !== "notifications/message" || peer === undefined || !peer.wantsLog || !reaches(params.level, peer.logLevel)) return;
    void peer.notify(method, params).catch(() => undefined);
  });
}
