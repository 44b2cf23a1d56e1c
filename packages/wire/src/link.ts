import { CmcpError, asCmcpError, untrusted } from "@cmcp/boundary";
import { decodeFrame, encodeFrame, type Frame } from "./frame.ts";
import { Framer } from "./framer.ts";
import { LINGER_MS, MAX_WIRE_FRAME_BYTES } from "./limits.ts";
import type { ByteStream } from "./transport/transport.ts";

/** What a {@link FrameLink} reports. */
export interface LinkEvents {
  /** A frame of a documented shape. Throwing a CmcpError is the same as {@link LinkEvents.violated} with it. */
  frame(frame: Frame): void;
  /** The peer sent what it must not, or nothing moved for too long. The link is still open for a last frame. */
  violated(error: CmcpError): void;
  /** The stream is gone; called once. */
  closed(error: CmcpError): void;
}

/**
 * Links with frames to send at the end of this run of callbacks. One tick serves all of them, as a tick costs more than
 * a frame.
 */
let due: FrameLink[] = [];
const DUE = Promise.resolve();

function flushDue(): void {
  const links = due;
  due = [];
  for (const link of links) link.flush();
}

function afterMicrotasks(): void {
  process.nextTick(flushDue);
}

/**
 * A tick queued from a microtask runs once every promise continuation now due has run, so that an opening, its body and
 * its end, each awaited by the caller, still leave in one write.
 */
function flushSoon(link: FrameLink): void {
  if (due.push(link) === 1) void DUE.then(afterMicrotasks);
}

/**
 * Frames over one byte stream: splits and checks what arrives, gathers what leaves into few writes of at
 * most 32 KiB, passes back-pressure on in both directions, and watches for idleness.
 */
export class FrameLink {
  readonly #stream: ByteStream;
  readonly #events: LinkEvents;
  readonly #framer = new Framer();
  #idle: NodeJS.Timeout | undefined;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #drain: PromiseWithResolvers<void> | undefined;
  #deaf = false;
  #closed: CmcpError | undefined;

  constructor(stream: ByteStream, events: LinkEvents) {
    this.#stream = stream;
    this.#events = events;
    stream.on("data", (chunk: Uint8Array) => {
      this.#received(chunk);
    });
    stream.on("drain", () => {
      this.#idle?.refresh();
      this.#drain?.resolve();
      this.#drain = undefined;
    });
    stream.on("error", (cause) => {
      this.close(new CmcpError("WIRE_CLOSED", "the stream failed", { cause }));
    });
    const ended = (): void => {
      const where = this.#framer.atBoundary
        ? "the peer closed the stream"
        : "the peer closed the stream inside a frame";
      this.close(new CmcpError("WIRE_CLOSED", where));
    };
    stream.on("end", ended);
    stream.on("close", ended);
  }

  /** Why the link is closed; `undefined` while it is open. */
  get closed(): CmcpError | undefined {
    return this.#closed;
  }

  /** Reports a violation when nothing moves in either direction for `ms`. Replaces the time set before. */
  watchIdle(ms: number): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      this.#violated(new CmcpError("WIRE_IDLE_TIMEOUT", `no bytes were sent or received for ${ms} ms`));
    }, ms);
    this.#idle.unref();
  }

  /** Queues one frame. It leaves with whatever else the current run of callbacks queues. @throws CmcpError `WIRE_*`. */
  send(frame: Frame): void {
    if (this.#closed !== undefined) throw this.#closed;
    const wire = encodeFrame(frame);
    if (this.#pendingBytes + wire.length > MAX_WIRE_FRAME_BYTES) this.flush();
    if (this.#pending.length === 0) flushSoon(this);
    this.#pending.push(wire);
    this.#pendingBytes += wire.length;
  }

  /** True when the peer takes less than is sent: wait for {@link FrameLink.drained} before sending more. */
  get congested(): boolean {
    return this.#stream.writableNeedDrain;
  }

  /** Resolves when the peer has taken what was sent; rejects when the link closes first. */
  drained(): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (!this.congested) return Promise.resolve();
    this.#drain ??= Promise.withResolvers<void>();
    return this.#drain.promise;
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  /**
   * Sends the queued frames and a half-close. It then reads and discards until the peer closes or {@link LINGER_MS} are
   * over:
   * an immediate close could make the peer's next write fail before it has read the error.
   */
  finish(): void {
    if (this.#closed !== undefined || this.#deaf) return;
    this.#deaf = true;
    this.flush();
    this.#stream.end();
    this.watchIdle(LINGER_MS);
  }

  /** Closes at once. */
  close(error: CmcpError): void {
    if (this.#closed !== undefined) return;
    this.#closed = error;
    clearTimeout(this.#idle);
    this.#pending = [];
    this.#drain?.reject(error);
    this.#stream.destroy();
    this.#events.closed(error);
  }

  #received(chunk: Uint8Array): void {
    if (this.#deaf || this.#closed !== undefined) return;
    this.#idle?.refresh();
    try {
      this.#framer.push(untrusted(chunk), (payload) => {
        this.#events.frame(decodeFrame(payload));
      });
    } catch (thrown) {
      this.#violated(asCmcpError(thrown, "INTERNAL", "a frame could not be handled"));
    }
  }

  #violated(error: CmcpError): void {
    if (this.#deaf) this.close(error);
    else this.#events.violated(error);
  }

  /** Sends what is queued. */
  flush(): void {
    if (this.#pending.length === 0 || this.#closed !== undefined) return;
    const [first] = this.#pending;
    const wire =
      this.#pending.length === 1 && first !== undefined ? first : Buffer.concat(this.#pending, this.#pendingBytes);
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#idle?.refresh();
    this.#stream.write(wire);
  }
}
