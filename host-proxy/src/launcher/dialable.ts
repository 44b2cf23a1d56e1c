import { setTimeout as delay } from "node:timers/promises";
import type { Dialer } from "@cmcp/wire";

/** How long to wait for somebody to listen, in milliseconds. */
export interface DialPatience {
  readonly ms: number;
  /** Between two attempts. */
  readonly everyMs: number;
  /** One attempt may take; something that is still booting may leave it unanswered. */
  readonly attemptMs: number;
}

/** What makes waiting pointless. */
export interface DialEnds {
  /** The enclave's own end. */
  readonly ended?: Promise<unknown>;
  /** Nobody wants it any more. */
  readonly signal?: AbortSignal | undefined;
}

/** Whether an enclave can be dialled in time. */
export async function dialable(dialer: Dialer, { ms, everyMs, attemptMs }: DialPatience, { ended, signal }: DialEnds): Promise<boolean> {
  const gone = new AbortController();
  const waiting = AbortSignal.any([AbortSignal.timeout(ms), gone.signal, ...(signal === undefined ? [] : [signal])]);
  void ended?.then(() => gone.abort());
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
