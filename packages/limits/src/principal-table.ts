/** Most principals that one table counts. */
export const MAX_COUNTED_PRINCIPALS = 10_000;
/** Shortest time between two searches of a full table for principals to drop, in milliseconds. */
const SWEEP_MS = 1_000;

/** What counts for one principal. */
export interface Counted {
  /** Whether nothing is counted in the window that ends now, so that the state can be dropped. */
  isBlank(now: number): boolean;
}

/** The states of a bounded number of principals. A state that counts something is never dropped for another. */
export class PrincipalTable<T extends Counted> {
  readonly #states = new Map<string, T>();
  readonly #make: () => T;
  readonly #max: number;
  #sweptAt = Number.NEGATIVE_INFINITY;

  constructor(make: () => T, max = MAX_COUNTED_PRINCIPALS) {
    this.#make = make;
    this.#max = max;
  }

  get size(): number {
    return this.#states.size;
  }

  /** The state of a principal, made on first use; `null` if the table is full. The caller must then refuse. */
  of(principal: string, now: number): T | null {
    const known = this.#states.get(principal);
    if (known !== undefined) return known;
    if (!this.hasRoomFor(principal, now)) return null;
    const made = this.#make();
    this.#states.set(principal, made);
    return made;
  }

  /** The state of a principal, if there is one. */
  find(principal: string): T | undefined {
    return this.#states.get(principal);
  }

  /** Whether the principal is counted, or could be. */
  hasRoomFor(principal: string, now: number): boolean {
    if (this.#states.has(principal) || this.#states.size < this.#max) return true;
    if (now - this.#sweptAt < SWEEP_MS) return false;
    this.#sweptAt = now;
    for (const [name, state] of this.#states) if (state.isBlank(now)) this.#states.delete(name);
    return this.#states.size < this.#max;
  }

  forget(principal: string): void {
    this.#states.delete(principal);
  }
}
