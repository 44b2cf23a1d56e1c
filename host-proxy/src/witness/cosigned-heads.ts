import { setImmediate } from "node:timers/promises";
import type { LogHead, LogStore } from "../store/log-store.ts";

/**
 * Keeps the newest cosigned head in the store, beside the calls. One write is under way at a time, and what came meanwhile is
 * written as its newest alone.
 */
export class CosignedHeads {
  readonly #store: Pick<LogStore, "keepCosigned">;
  readonly #failed: (thrown: unknown) => void;
  #newest: LogHead | null = null;
  #writing: Promise<void> | null = null;

  /** @param failed told what the store throws; the next head is tried again */
  constructor(store: Pick<LogStore, "keepCosigned">, failed: (thrown: unknown) => void) {
    this.#store = store;
    this.#failed = failed;
  }

  /** A round over a head met its quorum. */
  offer(head: LogHead): void {
    if (this.#newest !== null && head.size <= this.#newest.size) return;
    this.#newest = head;
    this.#writing ??= this.#write();
  }

  /** Resolves when the newest head is kept, or was given up. */
  async close(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    for (let head: LogHead | null = null; head !== this.#newest; ) {
      // Whoever waits for the round has its answer first.
      await setImmediate();
      head = this.#newest;
      if (head === null) break;
      try {
        await this.#store.keepCosigned(head);
      } catch (thrown) {
        this.#failed(thrown);
      }
    }
    this.#writing = null;
  }
}
