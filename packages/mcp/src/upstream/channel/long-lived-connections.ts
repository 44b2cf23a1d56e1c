import { SharedSlots } from "@cmcp/boundary";
import { upstreamFault } from "../fault.ts";

/** Of the connections that the host's relay carries at one time: the others are for calls, and for streams of other servers. */
export const MAX_LONG_LIVED = 128;

/** One connection that stays open between requests. */
export interface LongLivedConnection {
  /** Somebody uses it from now on. @throws CmcpError `OVERLOADED` where its holder may use no more connections */
  use(): void;
  /** Nobody uses it. */
  rest(): void;
  /** It has ended. */
  end(): void;
}

interface Standing {
  readonly holder: string;
  readonly close: () => void;
  /** Gives the slot back that it takes while it is in use. */
  giveBack: (() => void) | null;
}

/**
 * The connections to servers that stay open between requests, bounded in number over all servers that share them. Holders share
 * those in use as {@link SharedSlots}. An idle one gives way to whoever needs a connection: the one that was idle longest, of the
 * holder that has most.
 */
export class LongLivedConnections {
  readonly #max: number;
  readonly #inUse: SharedSlots;
  /** The one used longest ago first. */
  readonly #all = new Set<Standing>();

  constructor(max = MAX_LONG_LIVED) {
    this.#max = max;
    this.#inUse = new SharedSlots(max);
  }

  /**
   * Adds a connection, idle yet.
   * @param close called when somebody else needs its place more
   * @throws CmcpError `OVERLOADED` where the holder may use no more connections
   */
  open(holder: string, close: () => void): LongLivedConnection {
    if (!this.#inUse.isOpenTo(holder)) throw this.#overloaded();
    if (this.#all.size >= this.#max) this.#makeRoom();
    const standing: Standing = { holder, close, giveBack: null };
    this.#all.add(standing);
    const rest = (): void => {
      standing.giveBack?.();
      standing.giveBack = null;
    };
    return {
      use: () => {
        if (this.#all.has(standing)) standing.giveBack ??= this.#inUse.take(holder, "connections that stay open");
      },
      rest: () => {
        rest();
        if (this.#all.delete(standing)) this.#all.add(standing);
      },
      end: () => {
        rest();
        this.#all.delete(standing);
      },
    };
  }

  #makeRoom(): void {
    const counts = new Map<string, number>();
    for (const { holder } of this.#all) counts.set(holder, (counts.get(holder) ?? 0) + 1);
    const idle = [...this.#all].filter(({ giveBack }) => giveBack === null);
    const [first] = idle.toSorted((a, b) => (counts.get(b.holder) ?? 0) - (counts.get(a.holder) ?? 0));
    if (first === undefined) throw this.#overloaded();
    this.#all.delete(first);
    first.close();
  }

  #overloaded(): Error {
    return upstreamFault("OVERLOADED", "all connections that this caller may have to tool servers are in use", false);
  }
}
