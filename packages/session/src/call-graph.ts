import type { Vocabulary } from "./vocabulary.ts";

/** Most crossings listed for a session. Further ones are only counted. */
export const MAX_CROSS_BOUNDARY_EVENTS = 256;

/** A call to a compliance domain after the session had reached another domain that is at least as sensitive. */
export interface CrossBoundaryEvent {
  readonly from_domain: string;
  readonly to_domain: string;
  readonly call_id: string;
  readonly tool_name: string;
  /** Number of the call in its session, from 0. */
  readonly sequence_number: number;
}

/** The compliance domains that a session's calls reached, and the crossings between them. */
export class CallGraph {
  readonly #vocabulary: Vocabulary;
  readonly #domains = new Set<string>();
  readonly #events: CrossBoundaryEvent[] = [];
  #crossings = 0;

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
  }

  get domainsTouched(): ReadonlySet<string> {
    return this.#domains;
  }

  /** The first {@link MAX_CROSS_BOUNDARY_EVENTS} crossings, oldest first. */
  get events(): readonly CrossBoundaryEvent[] {
    return this.#events;
  }

  /** Number of crossings, including those not listed. */
  get crossings(): number {
    return this.#crossings;
  }

  /** Adds a call that reached its server. @throws CmcpError `INTERNAL` for an unknown domain */
  add(call: {
    readonly callId: string;
    readonly toolName: string;
    readonly domain: string;
    readonly sequenceNumber: number;
  }): void {
    const from = this.#crossedFrom(call.domain);
    this.#domains.add(call.domain);
    if (from === undefined) return;
    this.#crossings += 1;
    if (this.#events.length >= MAX_CROSS_BOUNDARY_EVENTS) return;
    this.#events.push({
      from_domain: from,
      to_domain: call.domain,
      call_id: call.callId,
      tool_name: call.toolName,
      sequence_number: call.sequenceNumber,
    });
  }

  /** The most sensitive other domain reached so far, if leaving it is a crossing and it is at least as sensitive as `domain`. */
  #crossedFrom(domain: string): string | undefined {
    const rankOf = (name: string): number => this.#vocabulary.rank(this.#vocabulary.floorOfDomain(name));
    let from: string | undefined;
    let highest = rankOf(domain);
    for (const seen of this.#domains) {
      const rank = rankOf(seen);
      if (
        seen === domain ||
        !this.#vocabulary.isRegulated(seen) ||
        rank < highest ||
        (rank === highest && from !== undefined)
      )
        continue;
      from = seen;
      highest = rank;
    }
    return from;
  }
}
