import { setTimeout as sleep } from "node:timers/promises";
import { CmcpError } from "@cmcp/boundary";
import { Rounds, type Round, type WitnessPolicy } from "@cmcp/log";

/** Milliseconds between a round that a quorum did not answer and the next one. */
const RETRY_MS = 100;

/** A head that the host has stored. */
export interface SignedHead {
  readonly size: number;
  /** The checkpoint. */
  readonly text: string;
  /** The checkpoint with this instance's signature. */
  readonly note: string;
}

/** Has a note cosigned. Answers with signature lines, which are the host's until they verify. */
export type Cosign = (note: string, signal: AbortSignal) => Promise<string>;

/** What waiting for witnesses needs. */
export interface WitnessesOptions {
  /** Whose quorums must be met on one head: this launch's, and the one of the hand-over before it if that is another. */
  readonly policies: readonly WitnessPolicy[];
  /** Milliseconds that a round, or whoever waits for one, waits for a quorum. */
  readonly waitMs: number;
  readonly cosign: Cosign;
  /** Told the time that a quorum of each policy has reached, in seconds since 1970, once they cosigned a head: it is over. */
  readonly timeOver: (seconds: number) => void;
}

interface Waiting {
  readonly index: number;
  readonly resolve: () => void;
  readonly reject: (error: CmcpError) => void;
}

/**
 * The witnesses of the log. The newest stored head goes to them in rounds, one at a time. A record is cosigned once a
 * quorum has cosigned a head with it: no other instance can then have continued the log without that record.
 */
export class Witnesses {
  readonly #rounds: Rounds;
  readonly #options: WitnessesOptions;
  readonly #waiting = new Set<Waiting>();
  #newest: SignedHead | null = null;
  #running = false;
  #stopped = false;
  #lost = false;

  constructor(options: WitnessesOptions) {
    this.#options = options;
    this.#rounds = new Rounds(options.policies, 0);
  }

  /** Whether the last round that ended did so without a quorum. */
  get lost(): boolean {
    return this.#lost;
  }

  /** The host has stored a head. It goes to the witnesses when the round before has ended. */
  stored(head: SignedHead): void {
    this.#rounds.store(head);
    this.#newest = head;
    if (!this.#running) void this.#run();
  }

  /**
   * Resolves once a quorum has cosigned the record at an index.
   *
   * @throws CmcpError `WITNESS_UNAVAILABLE` after the wait, or when the gateway stops, whatever is cosigned later
   */
  async cosigned(index: number): Promise<void> {
    if (this.#rounds.isWitnessed(index)) return;
    if (this.#stopped) throw unavailable();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = { index, resolve, reject };
    this.#waiting.add(waiting);
    const timer = setTimeout(() => reject(unavailable()), this.#options.waitMs);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(waiting);
    }
  }

  /** Nobody waits from here on. Heads still go to the witnesses while they answer. */
  stop(): void {
    this.#stopped = true;
    for (const { reject } of this.#waiting) reject(unavailable());
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let head = this.#newest; head !== null; ) {
      const round = this.#rounds.begin();
      if (round === null) break;
      const met = await this.#hold(round, head.note);
      this.#lost = !met;
      if (met) {
        // Before anybody goes on: what is decided next is decided by this time.
        this.#options.timeOver(this.#rounds.floor);
        this.#release();
      } else if (this.#stopped) break;
      else await sleep(RETRY_MS, undefined, { ref: false });
      head = met && this.#newest === head ? null : this.#newest;
    }
    this.#running = false;
  }

  /** One round. @returns whether a quorum cosigned its head */
  async #hold(round: Round, note: string): Promise<boolean> {
    const over = new AbortController();
    const { promise: late, resolve } = Promise.withResolvers<null>();
    const timer = setTimeout(() => {
      over.abort();
      resolve(null);
    }, this.#options.waitMs).unref();
    try {
      const lines = await Promise.race([this.#options.cosign(note, over.signal), late]);
      if (lines !== null) return this.#rounds.end(round, lines);
    } catch {
      // No answer is no vote.
    } finally {
      clearTimeout(timer);
    }
    this.#rounds.giveUp(round);
    return false;
  }

  #release(): void {
    for (const { index, resolve } of this.#waiting) if (this.#rounds.isWitnessed(index)) resolve();
  }
}

function unavailable(): CmcpError {
  return new CmcpError("WITNESS_UNAVAILABLE", "no quorum of witnesses cosigned the log in time");
}
