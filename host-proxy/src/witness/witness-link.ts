import { cosignedAt, formatSignature, type Witness } from "@cmcp/log";
import { addCheckpoint, type Failure, type Refusal, type WitnessAnswer } from "./add-checkpoint.ts";
import type { Head } from "./head.ts";

/** Why a head has no cosignature of a witness. */
export type WitnessFailure = Refusal | Failure | "not-cosigned" | "contradiction" | "store-unreadable";

/** What became of a head at one witness. */
export type WitnessOutcome =
  | { readonly kind: "cosigned"; readonly time: number; readonly lines: string }
  /** The witness says that it cosigned a larger log: this one lost its end, or another instance continued it. */
  | { readonly kind: "ahead"; readonly size: number }
  | { readonly kind: "refused"; readonly reason: Refusal }
  | { readonly kind: "failed"; readonly reason: Failure | "not-cosigned" | "contradiction" | "store-unreadable" };

/** How long things take, in milliseconds. */
export interface WitnessTimes {
  /** Until a round ends without its quorum, and a request without its answer. */
  readonly waitMs: number;
  /** Before a head is submitted again after a failure; doubled each time. */
  readonly retryMs: number;
  /** Most of that. */
  readonly maxRetryMs: number;
}

/** Requests for one head: a first one, and corrections of the size that the witness has. */
const MAX_REQUESTS = 3;

/** What a link reports, and to whom. */
export interface WitnessEvents {
  /** A witness's answer for a head. Cosignatures are verified. */
  outcome(witness: Witness, head: Head, outcome: WitnessOutcome): void;
}

/**
 * Heads on their way to one witness: one request at a time, always of the newest head that is wanted. The size that the
 * witness has is remembered, and corrected where it says another.
 */
export class WitnessLink {
  readonly witness: Witness;
  readonly #url: URL;
  readonly #times: WitnessTimes;
  readonly #events: WitnessEvents;
  readonly #closed = new AbortController();
  #wanted: Head | null = null;
  #running: Promise<void> | null = null;
  /** Ends a pause. */
  #wake: (() => void) | null = null;
  /** Size of the log at the witness, as far as known. */
  #size = 0;

  /** @param url the witness's submission prefix, with a slash at its end */
  constructor(witness: Witness, url: URL, times: WitnessTimes, events: WitnessEvents) {
    this.witness = witness;
    this.#url = url;
    this.#times = times;
    this.#events = events;
  }

  /** Wants a head cosigned, in place of one that waits. */
  offer(head: Head): void {
    this.#wanted = head;
    this.#wake?.();
    this.#running ??= this.#run();
  }

  /** Stops trying for a head. A request that is under way goes on, so that the witness's size stays known. */
  withdraw(head: Head): void {
    if (this.#wanted !== head) return;
    this.#wanted = null;
    this.#wake?.();
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#wanted = null;
    this.#closed.abort();
    this.#wake?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    let pauseMs = this.#times.retryMs;
    for (let head = this.#wanted; head !== null; head = this.#wanted) {
      const outcome = await this.#submit(head);
      const again = outcome.kind === "failed";
      if (!again && this.#wanted === head) this.#wanted = null;
      this.#events.outcome(this.witness, head, outcome);
      if (!again) pauseMs = this.#times.retryMs;
      else if (this.#wanted === head) {
        await this.#pause(pauseMs);
        pauseMs = Math.min(2 * pauseMs, this.#times.maxRetryMs);
      }
    }
    // In the same step as the last look at what is wanted: an offer after it starts anew.
    this.#running = null;
  }

  async #pause(milliseconds: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, milliseconds);
    this.#wake = resolve;
    await promise;
    this.#wake = null;
    clearTimeout(timer);
  }

  /** Submits a head, again for each size that the witness says it has. */
  async #submit(head: Head): Promise<WitnessOutcome> {
    for (let request = 0; request < MAX_REQUESTS; request += 1) {
      const old = Math.min(this.#size, head.size);
      const proof = await head.prover.consistency(old).catch(() => null);
      if (proof === null) return { kind: "failed", reason: "store-unreadable" };
      const signal = AbortSignal.any([this.#closed.signal, AbortSignal.timeout(this.#times.waitMs)]);
      const answer = await addCheckpoint(this.#url, { old, proof, note: head.note }, signal);
      if (answer.kind !== "stale") return this.#outcomeOf(head, answer);
      if (answer.size > head.size) return { kind: "ahead", size: answer.size };
      this.#size = answer.size;
    }
    return { kind: "failed", reason: "contradiction" };
  }

  #outcomeOf(head: Head, answer: Exclude<WitnessAnswer, { kind: "stale" }>): WitnessOutcome {
    if (answer.kind !== "signatures") return answer;
    const { key } = this.witness;
    const own = answer.signatures.filter((line) => line.name === key.name && line.keyId === key.id);
    const time = cosignedAt({ text: head.text, signatures: own }, key);
    if (time === undefined) return { kind: "failed", reason: "not-cosigned" };
    this.#size = head.size;
    return { kind: "cosigned", time, lines: own.map(formatSignature).join("") };
  }
}
