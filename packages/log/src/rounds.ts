/** Which of its own heads an instance may call witnessed, and how late it is at least. */
import { CmcpError } from "@cmcp/boundary";
import { parseSignatures, type NoteSignature } from "./note.ts";
import { cosignedTimes } from "./verify.ts";
import { quorumTime, type WitnessPolicy } from "./witness-policy.ts";

/** A head that this instance signed, and that is stored. */
export interface StoredHead {
  /** Number of leaves. */
  readonly size: number;
  /** Text of the head's note. */
  readonly text: string;
}

/** A head on its way to the witnesses. */
export interface Round {
  readonly head: StoredHead;
}

/** A head that witnesses cosigned. */
export interface WitnessedHead {
  /** Number of leaves. */
  readonly size: number;
  /** When a whole quorum had seen it, in seconds since 1970. */
  readonly time: number;
}

/**
 * What cosignatures show of a head: that a quorum of each policy has cosigned it, and the least of their times.
 *
 * @param lines chosen by the host; whatever does not verify over the head's text is no vote
 * @returns `undefined` if a quorum is not met
 */
export function witnessedHead(
  { size, text }: StoredHead,
  lines: string,
  policies: readonly WitnessPolicy[],
): WitnessedHead | undefined {
  const signatures = signaturesIn(lines);
  const times = policies.map(({ quorum, witnesses }) =>
    quorumTime(quorum, cosignedTimes({ text, signatures }, witnesses)),
  );
  const met = times.filter((time) => time !== undefined);
  return met.length === policies.length ? { size, time: Math.min(...met) } : undefined;
}

function signaturesIn(lines: string): readonly NoteSignature[] {
  try {
    return parseSignatures(lines);
  } catch (thrown) {
    if (thrown instanceof CmcpError) return [];
    throw thrown;
  }
}

/**
 * The rounds of one instance, one at a time, each over the newest stored head. A leaf is witnessed once a head with it is:
 * a quorum has then seen no other continuation of the log.
 */
export class Rounds {
  readonly #policies: readonly WitnessPolicy[];
  #stored: StoredHead | null = null;
  #round: Round | null = null;
  #size = 0;
  #floor: number;

  /**
   * @param policies whose quorums must be met on one head: this launch's, and before it the one of the hand-over that it
   *   follows, if that is another. At least one
   * @param floor seconds since 1970 that are known to be over
   */
  constructor(policies: readonly WitnessPolicy[], floor: number) {
    if (policies.length === 0) throw new CmcpError("INTERNAL", "rounds need a witness policy");
    this.#policies = policies;
    this.#floor = floor;
  }

  /** The time that is over at least, in seconds since 1970. It never falls. */
  get floor(): number {
    return this.#floor;
  }

  /** Whether witnesses have seen the leaf at an index. */
  isWitnessed(index: number): boolean {
    return index < this.#size;
  }

  /**
   * A head was stored.
   *
   * @throws CmcpError `INTERNAL` for a head that is not larger than the one before
   */
  store(head: StoredHead): void {
    if (head.size <= (this.#stored?.size ?? -1)) throw new CmcpError("INTERNAL", "a log's stored heads grow");
    this.#stored = head;
  }

  /** Begins a round over the newest stored head; `null` while there is none, or a round is under way. */
  begin(): Round | null {
    if (this.#stored === null || this.#round !== null) return null;
    this.#round = { head: this.#stored };
    return this.#round;
  }

  /**
   * Ends a round. One that was given up changes nothing: what waited for it has ended.
   *
   * @param lines the host's answer
   * @returns whether the round's head is witnessed
   */
  end(round: Round, lines: string): boolean {
    if (this.#round !== round) return false;
    this.#round = null;
    const witnessed = witnessedHead(round.head, lines, this.#policies);
    if (witnessed === undefined) return false;
    this.#size = witnessed.size;
    this.#floor = Math.max(this.#floor, witnessed.time);
    return true;
  }

  /** Gives a round up, so that another can begin. */
  giveUp(round: Round): void {
    if (this.#round === round) this.#round = null;
  }
}
