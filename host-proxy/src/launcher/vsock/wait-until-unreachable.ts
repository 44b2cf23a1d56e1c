import { setTimeout as delay } from "node:timers/promises";
import type { ByteStream, Dialer } from "@cmcp/wire";

/** How a machine is watched. */
export interface WatchSettings {
  /**
   * Milliseconds between two dials; less than the wire's `IDLE_MS`, after which the enclave closes a stream that says
   * nothing.
   */
  readonly everyMs: number;
  /** Milliseconds one dial may take. */
  readonly dialMs: number;
  /** Failed dials in a row after which the machine counts as gone. */
  readonly attempts: number;
}

export const DEFAULT_WATCH: WatchSettings = { everyMs: 30_000, dialMs: 10_000, attempts: 3 };

/**
 * Resolves when an enclave in a machine cannot be reached any more, or when `signal` aborts. Either the idle stream
 * is closed from the other side, as when the machine ended. Or dialling another stream fails several times in a row,
 * as when a vsock daemon stalls.
 */
export async function waitUntilUnreachable(
  dialer: Dialer,
  signal: AbortSignal,
  watch: WatchSettings = DEFAULT_WATCH,
): Promise<void> {
  let held = await dialWithin(dialer, signal, watch);
  while (held !== null) {
    if (await closedWithin(held, watch.everyMs, signal)) return;
    const next = await dialWithin(dialer, signal, watch);
    // One that ended while the next was dialled was another machine's: this one is new and was never launched.
    const ended = held.destroyed;
    held.destroy();
    if (ended) {
      next?.destroy();
      return;
    }
    held = next;
  }
}

async function dialWithin(
  dialer: Dialer,
  signal: AbortSignal,
  { dialMs, attempts }: WatchSettings,
): Promise<ByteStream | null> {
  for (let attempt = 0; attempt < attempts && !signal.aborted; attempt += 1) {
    const expired = AbortSignal.timeout(dialMs);
    try {
      const stream = await dialer.dial(AbortSignal.any([signal, expired]));
      // Nothing is expected; without a reader an end would not be noticed.
      return stream.resume();
    } catch {
      // A refused dial fails at once; the next attempt waits as long as an unanswered one would have.
      if (!expired.aborted) await delay(dialMs, undefined, { signal }).catch(() => undefined);
    }
  }
  return null;
}

/** Whether a stream ended before `ms` were over. The watching's own end counts as one. */
async function closedWithin(stream: ByteStream, ms: number, signal: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), ms);
  const end = (): void => resolve(true);
  stream.once("end", end).once("close", end);
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted || stream.destroyed) end();
  try {
    const ended = await promise;
    if (ended) stream.destroy();
    return ended;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    stream.off("end", end).off("close", end);
  }
}
