/**
 * What aborts one piece of work: its own {@link abort}, and another signal for as long as the work runs. `AbortSignal.any`
 * would keep everything that listens to it until a full collection, as a scavenger takes weak references for strong ones.
 */
export class AbortScope {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;

  constructor(outer: AbortSignal) {
    this.#outer = outer;
    outer.addEventListener("abort", this.#follow, { once: true });
    if (outer.aborted) this.#follow();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason?: unknown): void {
    this.#controller.abort(reason);
  }

  /** The work is over: the other signal aborts nothing any more. */
  release(): void {
    this.#outer.removeEventListener("abort", this.#follow);
  }

  readonly #follow = (): void => {
    this.#controller.abort(this.#outer.reason);
  };
}
