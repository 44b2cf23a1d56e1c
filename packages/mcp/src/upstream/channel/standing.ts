import { upstreamFault } from "../fault.ts";

/** Of the connections that the host's relay carries at one time: the others are for calls, and for streams of other servers. */
export const MAX_STANDING = 128;

/** The place of one connection. */
export interface StandingPlace {
  /** The connection was in use until now. */
  used(): void;
  /** The connection has ended. */
  free(): void;
}

interface Standing {
  readonly idle: () => boolean;
  readonly close: () => void;
}

/**
 * The connections to servers that stay open between requests, bounded in number over all servers that share them. Who needs
 * a place gets that of the connection that was idle longest.
 */
export class StandingPlaces {
  readonly #max: number;
  /** The one used longest ago first. */
  readonly #taken = new Set<Standing>();

  constructor(max = MAX_STANDING) {
    this.#max = max;
  }

  /**
   * @param idle whether the connection can be closed now
   * @param close called when somebody else needs its place more
   * @throws CmcpError `OVERLOADED` while all connections are in use
   */
  take(idle: () => boolean, close: () => void): StandingPlace {
    if (this.#taken.size >= this.#max) this.#makeRoom();
    const standing = { idle, close };
    this.#taken.add(standing);
    return {
      used: () => {
        if (this.#taken.delete(standing)) this.#taken.add(standing);
      },
      free: () => void this.#taken.delete(standing),
    };
  }

  #makeRoom(): void {
    const longest = [...this.#taken].find(({ idle }) => idle());
    if (longest === undefined)
      throw upstreamFault(
        "OVERLOADED",
        `${this.#max} connections to tool servers stay open, and all are in use`,
        false,
      );
    this.#taken.delete(longest);
    longest.close();
  }
}
