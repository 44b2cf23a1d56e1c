import { CmcpError } from "@cmcp/boundary";

/** The slot of one running request. It is given back while the agent has open questions, and taken again after the last answer. */
export class RunningSlot {
  readonly #acquire: () => Promise<() => void>;
  #release: (() => void) | null;
  #over = false;
  #questions = 0;
  #reacquiring: Promise<void> | null = null;

  /**
   * @param release gives back the slot that the request holds
   * @param acquire waits for another slot, and returns a function that gives it back
   */
  constructor(release: () => void, acquire: () => Promise<() => void>) {
    this.#release = release;
    this.#acquire = acquire;
  }

  /**
   * Waits for an answer without holding the slot. One request may have several open questions.
   * @throws CmcpError `REQUEST_CANCELLED` if the request is over
   */
  async releaseWhile<T>(answer: () => Promise<T>): Promise<T> {
    if (this.#over) throw new CmcpError("REQUEST_CANCELLED", "the request that this question belongs to is over");
    this.#questions += 1;
    this.#releaseNow();
    try {
      return await answer();
    } finally {
      this.#questions -= 1;
      if (this.#questions === 0 && !this.#over) await (this.#reacquiring ??= this.#reacquire());
    }
  }

  /** Gives the slot back for good. */
  end(): void {
    this.#over = true;
    this.#releaseNow();
  }

  async #reacquire(): Promise<void> {
    try {
      const release = await this.#acquire();
      // Another question may be open by now, or the request may be over.
      if (this.#questions > 0 || this.#over) release();
      else this.#release = release;
    } finally {
      this.#reacquiring = null;
    }
  }

  #releaseNow(): void {
    this.#release?.();
    this.#release = null;
  }
}
