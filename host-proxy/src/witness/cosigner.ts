import { CmcpError } from "@cmcp/boundary";
import { formatVerifierKey, quorumTime, type ReadTile, type Witness, type WitnessPolicy } from "@cmcp/log";
import type { CosignedHeads } from "./cosigned-heads.ts";
import { headOf, type Head } from "./head.ts";
import type { LogKey } from "./log-key.ts";
import { WitnessLink, type WitnessOutcome, type WitnessTimes } from "./witness-link.ts";

/** How a round ended. */
export interface RoundResult {
  /** Signature lines over the head, each with its newline: the log's, then those of witnesses. */
  readonly lines: string;
  /** Whether the cosignatures meet the quorum of each policy. */
  readonly met: boolean;
}

/** What rounds need. */
export interface CosignerOptions {
  /** Whose quorums a round waits for. A name means the same witness in all of them. */
  readonly policies: readonly WitnessPolicy[];
  readonly key: LogKey;
  /** The log's hash tiles, of at least the size of the head that is cosigned. */
  readonly read: ReadTile;
  readonly times: WitnessTimes;
  /** Keeps each head whose round met the quorum, with the signatures of the round. */
  readonly heads?: CosignedHeads;
  /** Told when a witness's outcome is of another kind or reason than its last. */
  readonly onChange?: (witness: string, outcome: WitnessOutcome) => void;
}

interface Round {
  readonly lines: string[];
  /** By the witness's verifier key. */
  readonly times: Map<string, number>;
  end(result: RoundResult): void;
}

/**
 * Has heads cosigned. Each head goes to all witnesses at once; a witness that is busy with an older head gets it when it is
 * free. Rounds may overlap: the newest head goes first, and an older one that a witness has not begun is left out there.
 */
export class Cosigner {
  readonly #options: CosignerOptions;
  readonly #links: readonly WitnessLink[];
  readonly #rounds = new Map<Head, Round>();
  readonly #last = new Map<string, string>();
  #closed = false;

  /** @throws CmcpError `CONFIG_INVALID` for a witness without a URL of HTTP or HTTPS */
  constructor(options: CosignerOptions) {
    this.#options = options;
    const events = { outcome: this.#onOutcome.bind(this) };
    const all = options.policies.flatMap(({ witnesses }) => witnesses);
    const each = new Map(all.map((witness) => [formatVerifierKey(witness.key), witness]));
    this.#links = [...each.values()].map(
      (witness) => new WitnessLink(witness, submissionPrefix(witness), options.times, events),
    );
  }

  /**
   * Has a note cosigned. Ends with the quorum, or after `waitMs` with what there is.
   *
   * @param note a checkpoint of the log, as the enclave signed it; the tiles of its size are stored
   * @throws CmcpError `NOTE_MALFORMED` for a note that is not a checkpoint of this log
   */
  async cosign(note: string): Promise<RoundResult> {
    const { key, read, times } = this.#options;
    const head = headOf(note, key, read);
    const { promise, resolve } = Promise.withResolvers<RoundResult>();
    const round: Round = { lines: [head.logLine], times: new Map(), end: resolve };
    if (this.#closed) return this.#resultOf(round);
    const timer = setTimeout(() => round.end(this.#resultOf(round)), times.waitMs);
    this.#rounds.set(head, round);
    for (const witness of this.#links) witness.offer(head);
    if (this.#resultOf(round).met) round.end(this.#resultOf(round));
    try {
      const result = await promise;
      if (result.met) this.#options.heads?.offer({ size: head.size, note: note + result.lines });
      return result;
    } finally {
      clearTimeout(timer);
      this.#rounds.delete(head);
      for (const witness of this.#links) witness.withdraw(head);
    }
  }

  /**
   * Ends all rounds with what they have, and every request; the newest cosigned head is kept. A round that begins later
   * has the log's signature alone.
   */
  async close(): Promise<void> {
    this.#closed = true;
    for (const round of this.#rounds.values()) round.end(this.#resultOf(round));
    await Promise.all(this.#links.map((witness) => witness.close()));
    await this.#options.heads?.close();
  }

  #onOutcome({ name, key }: Witness, head: Head, outcome: WitnessOutcome): void {
    const what = "reason" in outcome ? `${outcome.kind} ${outcome.reason}` : outcome.kind;
    if (this.#last.get(name) !== what) this.#options.onChange?.(name, outcome);
    this.#last.set(name, what);
    const round = this.#rounds.get(head);
    if (round === undefined || outcome.kind !== "cosigned") return;
    round.lines.push(outcome.lines);
    round.times.set(formatVerifierKey(key), outcome.time);
    const result = this.#resultOf(round);
    if (result.met) round.end(result);
  }

  #resultOf({ lines, times }: Round): RoundResult {
    return { lines: lines.join(""), met: this.#options.policies.every((policy) => isMet(policy, times)) };
  }
}

function isMet({ witnesses, quorum }: WitnessPolicy, times: Round["times"]): boolean {
  const named = witnesses.map(({ name, key }) => [name, times.get(formatVerifierKey(key))] as const);
  return (
    quorumTime(quorum, new Map(named.flatMap(([name, time]) => (time === undefined ? [] : [[name, time]])))) !==
    undefined
  );
}

/** Where a witness takes checkpoints, with a slash at its end. */
function submissionPrefix({ name, url }: Witness): URL {
  const prefix = url === null ? null : URL.parse(url.endsWith("/") ? url : `${url}/`);
  if (prefix === null || !["http:", "https:"].includes(prefix.protocol) || prefix.search !== "" || prefix.hash !== "")
    throw new CmcpError("CONFIG_INVALID", `the witness ${name} has no URL of HTTP or HTTPS to which checkpoints go`);
  return prefix;
}
