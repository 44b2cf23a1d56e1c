import { setTimeout as delay } from "node:timers/promises";
import type { Dialer } from "@cmcp/wire";

/** How long to wait for somebody to listen, in milliseconds. */
export interface DialTimeouts {
  readonly ms: number;
  /** Between two attempts. */
  readonly everyMs: number;
  /** One attempt may take; something that is still booting may leave it unanswered. */
  readonly attemptMs: number;
}

/** When to begin, and what makes waiting pointless. */
export interface DialConditions {
  /** Nothing is dialled before; at once when absent. */
  readonly begin?: Promise<unknown> | undefined;
  /** The enclave's own end. */
  readonly ended?: Promise<unknown>;
  /** Nobody wants it any more. */
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
