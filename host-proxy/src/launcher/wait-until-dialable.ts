import { setTimeout as delay } from "node:timers/promises";
import type { Dialer } from "@cmcp/wire";

/** How long to wait until the enclave listens, in milliseconds. */
export interface DialTimeouts {
  readonly ms: number;
  /** Between two attempts. */
  readonly everyMs: number;
  /** Timeout of one attempt; a booting machine may leave it unanswered. */
  readonly attemptMs: number;
}

/** When waiting begins, and what ends it. */
export interface DialConditions {
  /** The first attempt waits for this; without it, it is immediate. */
  readonly begin?: Promise<unknown> | undefined;
  /** Resolves when the enclave ends. */
  readonly ended?: Promise<unknown>;
  /** Aborts the wait. */
  readonly signal?: AbortSignal | undefined;
}

/** Whether an enclave can be dialled in time. */
export async function waitUntilDialable(
  dialer: Dialer,
  { ms, everyMs, attemptMs }: DialTimeouts,
  { begin, ended, signal }: DialConditions,
): Promise<boolean> {
  const gone = new AbortController();
  const waiting = AbortSignal.any([AbortSignal.timeout(ms), gone.signal, ...(signal === undefined ? [] : [signal])]);
  void ended?.then(() => gone.abort());
  if (begin !== undefined && !waiting.aborted)
    await Promise.race([begin, new Promise((resolve) => waiting.addEventListener("abort", resolve, { once: true }))]);
  while (!waiting.aborted) {
    try {
      (await dialer.dial(AbortSignal.any([waiting, AbortSignal.timeout(attemptMs)]))).destroy();
      return true;
    } catch {
      // Not listening yet: the only way to learn that it does is to try again.
      await delay(everyMs);
    }
  }
  return false;
}
