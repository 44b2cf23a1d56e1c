import { CmcpError } from "@cmcp/boundary";

/** One request's slot among those that run: given back while its agent has questions to answer, taken again after the last. */
export class RunningSlot {
  readonly #enter: () => Promise<() => void>;
  #leave: (() => void) | null;
  #over = false;
  #questions = 0;
  #entering: Promise<void> | null = null;

  /** @param leave gives the slot back that is taken already; @param enter waits for another, and returns what gives that back */
  constructor(leave: () => void, enter: () => Promise<() => void>) {
    this.#leave = leave;
    this.#enter = enter;
  }

  /**
   * Waits for an answer without a slot. Questions of one request may be open at the same time.
   * @throws CmcpError `REQUEST_CANCELLED` for one that comes after its request
   */
  async aside<T>(answer: () => Promise<T>): Promise<T> {
    if (this.#over) throw new CmcpError("REQUEST_CANCELLED", "the request that the question is for is over");
    this.#questions += 1;
    this.#giveBack();
    try {
      return await answer();
    } finally {
      this.#questions -= 1;
      if (this.#questions === 0 && !this.#over) await (this.#entering ??= this.#again());
    }
  }

  /** Gives the slot back for good. */
  end(): void {
    this.#over = true;
    this.#giveBack();
  }

  async #again(): Promise<void> {
    try {
      const leave = await this.#enter();
      // Meanwhile another question may have been put, or the request may have ended.
      if (this.#questions > 0 || this.#over) leave();
      else this.#leave = leave;
    } finally {
      this.#entering = null;
    }
  }

  #giveBack(): void {
    this.#leave?.();
    this.#leave = null;
  }
}
