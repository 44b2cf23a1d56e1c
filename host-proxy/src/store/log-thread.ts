import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** Pages of the log after which it is moved, and about how many an append writes besides one a record. */
const LOG_PAGES = 4096;
const APPEND_PAGES = 3;

const ENTRY = new URL(import.meta.url.endsWith(".ts") ? "./log-worker.ts" : "./log-worker.mjs", import.meta.url);

/**
 * Moves a store's write-ahead log into its file in a thread of its own. Both are synced then, which takes longer than
 * all the calls that wrote it, and nobody waits for the disk meanwhile. Where the thread fails, appends move the log
 * again.
 */
export class LogThread {
  readonly #worker: Worker;
  readonly #exited: Promise<unknown>;
  /** Pages since the log was last moved, as far as they are known. */
  #pages = 0;
  #idle = true;

  /**
   * @param path of a store that is open
   * @param moved called when all of the log is in the file but for what was appended in the last moments
   * @param failed called when the thread ends by itself
   */
  constructor(path: string, moved: () => void, failed: () => void) {
    this.#worker = new Worker(ENTRY, {
      workerData: { path },
      env: {},
      execArgv: ["--disable-warning=ExperimentalWarning"],
      trackUnmanagedFds: false,
    });
    this.#worker.on("message", () => {
      this.#idle = true;
      moved();
    });
    this.#worker.on("error", () => {
      // For good, so that it is asked for nothing more.
      this.#idle = false;
      failed();
    });
    this.#exited = once(this.#worker, "exit").catch(() => undefined);
    // Last, as a listener for messages holds the process again.
    this.#worker.unref();
  }

  /** Records were appended together. */
  appended(records: number): void {
    this.#pages += APPEND_PAGES + records;
    if (!this.#idle || this.#pages < LOG_PAGES) return;
    this.#pages = 0;
    this.#idle = false;
    this.#worker.postMessage("move", []);
  }

  /** Lets go of the file, after what is being moved. */
  async close(): Promise<void> {
    this.#worker.ref();
    this.#worker.postMessage("close", []);
    await this.#exited;
  }
}
