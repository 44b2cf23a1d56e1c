import { CmcpError } from "@cmcp/boundary";

/** One request's slot among those that run: given back while its agent has questions to answer, taken again after the last. */
export class RunningSlot {
  readonly #acquire: () => Promise<() => void>;
  #release: (() => void) | null;
  #over = false;
  #questions = 0;
  #reacquiring: Promise<void> | null = null;

  /** @param leave gives the slot back that is taken already; @param enter waits for another, and returns what gives that back */
  constructor(release: () => void, acquire: () => Promise<() => void>) {
    this.#release = release;
    this.#acquire = acquire;
  }

  /**
   * Waits for an answer without a slot. Questions of one request may be open at the same time.
   * @throws CmcpError `REQUEST_CANCELLED` for one that comes after its request
   */
  async releaseWhile<T>(answer: () => Promise<T>): Promise<T> {
    if (this.#over) throw new CmcpError("REQUEST_CANCELLED", "the request that the question is for is over");
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
      // Meanwhile another question may have been put, or the request may have ended.
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
