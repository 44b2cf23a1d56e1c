import { PrincipalTable } from "./principal-table.ts";
import { COUNT_BOUND, RollingCount } from "./rolling-count.ts";
import { DistinctValues, ValueRoom } from "./distinct-values.ts";

/** One fact of history, as a policy bundle declares it. */
export interface HistoryRule {
  readonly name: string;
  /** Calls that were permitted, calls that were refused, bytes of permitted requests, or different values of one argument. */
  readonly of: "calls" | "denials" | "bytes_sent" | "distinct";
  readonly tool?: string | undefined;
  readonly server?: string | undefined;
  readonly outcome?: string | undefined;
  readonly argument?: string | undefined;
  readonly window_seconds: number;
}

/** A call as history counts it. */
export interface HistoryCall {
  readonly principal: string;
  /** `null` where the catalog has no such target. */
  readonly tool: string | null;
  readonly server: string | null;
  /** 1, or 0 for what is part of a call that was counted. */
  readonly calls: 0 | 1;
  readonly bytes: number;
  /** Canonical text of an argument; `null` if the call has none of this name. */
  readonly argument: (name: string) => string | null;
}

/** What rules read. */
export interface HistoryFacts {
  readonly values: Readonly<Record<string, number>>;
  /** False if some value may be too low: its window is not over since counting began, or a bound is reached. */
  readonly complete: boolean;
}

/** No calls at all. */
export const NO_HISTORY: HistoryFacts = { values: {}, complete: true };

/** Most rules that are counted at one time: those of the bundle in force, and of bundles before it. */
const MAX_RULES = 32;

/** What one rule counts of one principal. */
class PrincipalHistory {
  readonly count: RollingCount;
  readonly distinct: DistinctValues | null;

  constructor({ of, window_seconds: seconds }: HistoryRule, room: ValueRoom) {
    this.count = new RollingCount(seconds * 1000);
    this.distinct = of === "distinct" ? new DistinctValues(seconds * 1000, room) : null;
  }

  isBlank(now: number): boolean {
    return this.distinct === null ? this.count.total(now) === 0 : this.distinct.isBlank(now);
  }
}

interface CountedRule {
  readonly since: number;
  readonly principals: PrincipalTable<PrincipalHistory>;
}

/** What {@link History} counts with. */
export interface HistoryOptions {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Whether nothing was before this instance, so that what it counts from its start on is all there is. */
  readonly first: boolean;
}

/**
 * What each principal did in rolling windows, for rules to read. Memory is bounded: at a bound, values are at {@link
 * COUNT_BOUND} or incomplete, never too low without saying so. A rule that stands in the next bundle unchanged keeps
 * its counts.
 */
export class History {
  readonly #options: HistoryOptions;
  readonly #rules = new Map<string, CountedRule>();
  readonly #keys = new WeakMap<HistoryRule, string>();

  /** @param rules those of the first bundle */
  constructor(rules: readonly HistoryRule[], options: HistoryOptions) {
    this.#options = options;
    const since = options.first ? Number.NEGATIVE_INFINITY : options.now();
    for (const rule of rules) this.#begin(rule, since);
  }

  /** The values of all rules, as if this call were made too. */
  facts(rules: readonly HistoryRule[], call: HistoryCall): HistoryFacts {
    const now = this.#options.now();
    let complete = true;
    const values: Record<string, number> = {};
    for (const rule of rules) {
      const { principals, since } = this.#counted(rule);
      const history = principals.find(call.principal);
      const value = valueOf(rule, history, call, now);
      values[rule.name] = value;
      if (
        value >= COUNT_BOUND ||
        !principals.hasRoomFor(call.principal, now) ||
        (since > Number.NEGATIVE_INFINITY && now - since < rule.window_seconds * 1000)
      )
        complete = false;
    }
    return { values, complete };
  }

  /** Counts a call that was decided. @param outcome `deny` for any refusal */
  count(
    rules: readonly HistoryRule[],
    call: HistoryCall,
    outcome: "allow" | "redact" | "advisory_deny" | "deny",
  ): void {
    const now = this.#options.now();
    for (const rule of rules) {
      if (!isAbout(rule, call) || (outcome === "deny") !== (rule.of === "denials")) continue;
      if (rule.outcome !== undefined && rule.outcome !== outcome) continue;
      const history = this.#counted(rule).principals.of(call.principal, now);
      if (history === null) continue;
      if (history.distinct === null) history.count.add(now, amountOf(rule, call));
      else {
        const value = call.argument(rule.argument ?? "");
        if (value !== null) history.distinct.add(now, value);
      }
    }
  }

  #counted(rule: HistoryRule): CountedRule {
    return this.#rules.get(this.#keyOf(rule)) ?? this.#begin(rule, this.#options.now());
  }

  #begin(rule: HistoryRule, since: number): CountedRule {
    const room = new ValueRoom();
    const made: CountedRule = { since, principals: new PrincipalTable(() => new PrincipalHistory(rule, room)) };
    this.#rules.set(this.#keyOf(rule), made);
    const oldest = this.#rules.keys().next();
    if (this.#rules.size > MAX_RULES && oldest.done !== true) this.#rules.delete(oldest.value);
    return made;
  }

  #keyOf(rule: HistoryRule): string {
    const known = this.#keys.get(rule);
    if (known !== undefined) return known;
    const key = JSON.stringify(Object.entries(rule).toSorted(([a], [b]) => (a < b ? -1 : 1)));
    this.#keys.set(rule, key);
    return key;
  }
}

function isAbout({ tool, server }: HistoryRule, call: HistoryCall): boolean {
  return (tool === undefined || tool === call.tool) && (server === undefined || server === call.server);
}

function amountOf({ of }: HistoryRule, { calls, bytes }: HistoryCall): number {
  return of === "bytes_sent" ? bytes : calls;
}

function valueOf(rule: HistoryRule, history: PrincipalHistory | undefined, call: HistoryCall, now: number): number {
  const isPresent = isAbout(rule, call) && rule.of !== "denials";
  if (rule.of === "distinct") {
    const present = isPresent ? call.argument(rule.argument ?? "") : null;
    return history?.distinct?.total(now, present) ?? (present === null ? 0 : 1);
  }
  const counted = history?.count.total(now) ?? 0;
  return Math.min(COUNT_BOUND, counted + (isPresent ? amountOf(rule, call) : 0));
}
