import { AbortScope } from "../../abort-scope.ts";
import type { StreamPosition } from "../answer.ts";
import { keepListening, resting } from "../listening.ts";
import { SessionLost } from "./session-fault.ts";

/** How long a call waits for the stream to be there, in milliseconds. */
const OPEN_MS = 2_000;

/** Opens a session's own stream and reads it to its end. @returns false when the server offers none */
export type Listen = (opened: () => void, signal: AbortSignal, position: StreamPosition) => Promise<boolean>;

/** A session's own stream, opened anew whenever it ends, until it is stopped. */
export class ReopeningStream {
  readonly #listen: Listen;
  readonly #opening: () => void;
  readonly #stop = new AbortController();
  readonly #waiting = new Set<() => void>();
  #open = false;
  /** The wait before the stream is opened again. */
  #rest: AbortScope | undefined;
  #restSince = 0;
  #hurried = false;
  /** What the server said of when it wants the stream opened again. */
  #position: StreamPosition | undefined;
  /** Why it is kept no longer; `absent` when the server offers none. */
  readonly ended: Promise<"stopped" | "absent" | SessionLost>;

  /**
   * @param opening called whenever the stream is opened; where a call needs it sooner, once it is there, so that
   * calls repeat nothing that fails
   */
  constructor(listen: Listen, opening: () => void) {
    this.#listen = listen;
    this.#opening = opening;
    this.ended = this.#keep();
  }

  stop(): void {
    this.#stop.abort();
  }

  /** Opens the stream now, where it would be opened again later, unless that is how the server wants it. */
  hurry(): void {
    if (this.#rest === undefined || this.#restWanted) return;
    this.#hurried = true;
    this.#rest.abort();
  }

  /**
   * Resolves once the stream is there; when the server is slow to open it, and at once when it wants none now: it
   * holds no call back for longer.
   */
  opened(): Promise<void> {
    if (this.#open || this.#restWanted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, OPEN_MS).unref();
      this.#waiting.add(done);
    });
  }

  async #keep(): Promise<Awaited<ReopeningStream["ended"]>> {
    let lost: SessionLost | undefined;
    try {
      await keepListening(
        (position) =>
          this.#once(position).catch((thrown: unknown) => {
            if (!(thrown instanceof SessionLost)) throw thrown;
            lost = thrown;
            return false;
          }),
        this.#stop.signal,
        (ms) => this.#resting(ms),
      );
    } finally {
      this.#release();
    }
    return lost ?? (this.#stop.signal.aborted ? "stopped" : "absent");
  }

  async #once(position: StreamPosition): Promise<boolean> {
    this.#position = position;
    const hurried = this.#hurried;
    this.#hurried = false;
    if (!hurried) this.#opening();
    try {
      return await this.#listen(
        () => {
          this.#open = true;
          this.#release();
          if (hurried) this.#opening();
        },
        this.#stop.signal,
        position,
      );
    } finally {
      this.#open = false;
    }
  }

  /**
   * The server said how long there is to be no stream, and that is not over (MCP 2025-11-25, "Sending Messages to the
   * Server": clients MUST respect it).
   */
  get #restWanted(): boolean {
    return this.#rest !== undefined && performance.now() - this.#restSince < (this.#position?.retryMs ?? 0);
  }

  async #resting(ms: number): Promise<void> {
    const rest = new AbortScope(this.#stop.signal);
    this.#rest = rest;
    this.#restSince = performance.now();
    await resting(ms, rest.signal);
    this.#rest = undefined;
    rest.release();
  }

  #release(): void {
    for (const done of this.#waiting) done();
  }
}
