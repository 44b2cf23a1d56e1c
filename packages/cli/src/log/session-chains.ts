/** One entry as a log shows it: with its body, or by the receipt in its leaf alone. */
export interface ChainLink {
  readonly session: string;
  /** Number in the session, from 0. */
  readonly number: number;
  readonly hash: string;
  /** Hash of the entry before; `genesis` for the first. */
  readonly previous: string;
  /** Whether it ends the session. */
  readonly last: boolean;
  /** The session whose entries follow it in the same chain, behind a reset; `null` behind any other entry. */
  readonly successor: string | null;
}

interface OpenChain {
  readonly next: number;
  readonly tip: string;
  /** Entries without a body that the log had before the newest link. */
  readonly unknown: number;
}

/**
 * The hash chains of all sessions of one instance, as their entries come in the order of the log. What is held grows with
 * the number of sessions that are open at a time.
 */
export class SessionChains {
  #open = new Map<string, OpenChain>();
  /** Entries whose session nobody can tell, as their bodies are not there. */
  #unknown = 0;
  #before = 0;

  /** Sessions that are open. */
  get size(): number {
    return this.#open.size;
  }

  /** Another instance writes from here on: the sessions that are open stay as they are. */
  begin(): void {
    this.#open = new Map();
    this.#before = this.#unknown;
  }

  /** An entry without a body. */
  addUnknown(): void {
    this.#unknown += 1;
  }

  /** @returns what is wrong with an entry at its place, or `null` */
  add({ session, number, hash, previous, last, successor }: ChainLink): string | null {
    const known = this.#open.get(session);
    const expected = known?.next ?? 0;
    const skipped = number - expected;
    // What stands between two links can be no more than the entries without a body.
    const fits = skipped >= 0 && skipped <= this.#unknown - (known?.unknown ?? this.#before);
    const isPlaced = fits || (known === undefined && this.#mayFollowReset(number));
    if (last || successor !== null) this.#open.delete(session);
    if (!last) this.#open.set(successor ?? session, { next: number + 1, tip: hash, unknown: this.#unknown });
    if (!isPlaced) return `an entry is numbered ${number}, where number ${expected} of its session follows`;
    if (skipped === 0 && previous !== (known?.tip ?? "genesis"))
      return `entry ${number} of a session does not link to the one before`;
    return null;
  }

  /** Whether a reset without a body may have opened a session, whose first link has this number, in the chain of another one. */
  #mayFollowReset(number: number): boolean {
    return this.#open.values().some(({ next, unknown }) => number > next && number - next <= this.#unknown - unknown);
  }
}
