import type { BlobStore, RecordKey } from "./blob-store.ts";

interface Pending {
  readonly key: RecordKey;
  readonly body: Uint8Array;
  readonly stored: () => void;
  readonly refused: (reason: unknown) => void;
}

/** Most records of one transaction. */
const MOST_TOGETHER = 64;

/**
 * Stores records that arrive together in one transaction, which costs little more than one of them. A
 * record is acknowledged only after its transaction is; one that fails takes no other with it.
 */
export class AppendQueue {
  readonly #store: BlobStore;
  #waiting: Pending[] = [];

  constructor(store: BlobStore) {
    this.#store = store;
  }

  /** Resolves once the record is durable; rejects with what the store throws for it. */
  append(key: RecordKey, body: Uint8Array): Promise<void> {
    return new Promise((stored, refused) => {
      this.#waiting.push({ key, body, stored, refused });
      // After this turn's input has been read, so that records of concurrent calls are stored together.
      if (this.#waiting.length === 1) setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    for (let at = 0; at < batch.length; at += MOST_TOGETHER) this.#storeTogether(batch.slice(at, at + MOST_TOGETHER));
  }

  #storeTogether(batch: readonly Pending[]): void {
    if (batch.length > 1) {
      try {
        this.#store.together(() => {
          for (const { key, body } of batch) this.#store.append(key, body);
        });
        for (const { stored } of batch) stored();
        return;
      } catch {
        // One of them cannot be stored: below each is tried, and answered, by itself.
      }
    }
    for (const { key, body, stored, refused } of batch) {
      try {
        this.#store.append(key, body);
        stored();
      } catch (thrown) {
        refused(thrown);
      }
    }
  }
}
