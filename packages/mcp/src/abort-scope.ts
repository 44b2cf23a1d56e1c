/**
 * Why a scope is aborted that is given no reason. Made once: the one a controller makes by itself records its stack,
 * and every call has a scope.
 */
const OVER = new DOMException("the work is over", "AbortError");

/**
 * What aborts one piece of work: its own {@link abort}, and other signals for as long as the work runs. `AbortSignal.any`
 * would keep everything that listens to it until a full collection, as a scavenger takes weak references for strong ones.
 */
export class AbortScope {
  readonly #controller = new AbortController();
  readonly #outer: readonly AbortSignal[];

  constructor(...outer: readonly AbortSignal[]) {
    this.#outer = outer;
    for (const signal of outer) signal.addEventListener("abort", this.#follow, { once: true });
    if (outer.some(({ aborted }) => aborted)) this.#follow();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: unknown = OVER): void {
    this.#controller.abort(reason);
  }

  /** The work is over: the other signals abort nothing any more. */
  release(): void {
    for (const signal of this.#outer) signal.removeEventListener("abort", this.#follow);
  }

  readonly #follow = (): void => {
    this.#controller.abort(this.#outer.find(({ aborted }) => aborted)?.reason);
  };
}

/**
 * The end of a piece of work, as a signal for whoever listens. The signal is made for the first listener: most calls
 * end with nobody listening, and an abort costs the same either way.
 */
export class EndSignal {
  readonly #within: AbortSignal;
  #scope: AbortScope | undefined;
  #over = false;

  /** @param within aborts the signal too */
  constructor(within: AbortSignal) {
    this.#within = within;
  }

  get signal(): AbortSignal {
    if (this.#scope === undefined) {
      this.#scope = new AbortScope(this.#within);
      if (this.#over) this.end();
    }
    return this.#scope.signal;
  }

  /** The work is over. */
  end(): void {
    this.#over = true;
    this.#scope?.release();
    this.#scope?.abort();
  }
}
