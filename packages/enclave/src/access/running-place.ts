import { CmcpError } from "@cmcp/boundary";

/** One request's place among those that run: given back while its agent has questions to answer, taken again after the last. */
export class RunningPlace {
  readonly #enter: () => Promise<void>;
  readonly #leave: () => void;
  #inside = true;
  #over = false;
  #questions = 0;
  #entering: Promise<void> | null = null;

  /** The place is taken already. @param enter waits for a place; @param leave gives one back */
  constructor(enter: () => Promise<void>, leave: () => void) {
    this.#enter = enter;
    this.#leave = leave;
  }

  /**
   * Waits for an answer without a place. Questions of one request may be open at the same time.
   * @throws CmcpError `REQUEST_CANCELLED` for one that comes after its request
   */
  async aside<T>(answer: () => Promise<T>): Promise<T> {
    if (this.#over) throw new CmcpError("REQUEST_CANCELLED", "the request that the question is for is over");
    this.#questions += 1;
    this.#set(false);
    try {
      return await answer();
    } finally {
      this.#questions -= 1;
      if (this.#questions === 0 && !this.#over) await (this.#entering ??= this.#again());
    }
  }

  /** Gives the place back for good. */
  end(): void {
    this.#over = true;
    this.#set(false);
  }

  async #again(): Promise<void> {
    try {
      await this.#enter();
      // Meanwhile another question may have been put, or the request may have ended.
      if (this.#questions > 0 || this.#over) this.#leave();
      else this.#inside = true;
    } finally {
      this.#entering = null;
    }
  }

  #set(inside: false): void {
    if (this.#inside) this.#leave();
    this.#inside = inside;
  }
}
