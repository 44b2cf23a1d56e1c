import { MAX_COUNTED_PRINCIPALS, PrincipalTable } from "./principal-table.ts";
import { COUNT_BOUND, RollingCount } from "./rolling-count.ts";

/** One limit on what a principal does in a window. Each principal is counted apart. */
export interface WindowLimit {
  /** The principal it is for; `null` for every one. */
  readonly principal: string | null;
  /** The tool, prompt or resource it is for; `null` for all of them together. */
  readonly tool: string | null;
  readonly windowMs: number;
  /** What is counted: calls, or bytes sent. */
  readonly of: "calls" | "bytes";
  readonly max: number;
}

/** A call as limits see it. */
export interface LimitedCall {
  readonly principal: string;
  readonly tool: string;
  /** 1, or 0 for what is part of a call that was counted. */
  readonly calls: 0 | 1;
  readonly bytes: number;
}

/** Why a call is over a limit: which limit, or that there is no room to count the principal. */
export type OverLimit =
  | { readonly kind: "reached"; readonly index: number; readonly of: WindowLimit["of"] }
  | { readonly kind: "uncounted" };

class Window extends RollingCount {
  isBlank(now: number): boolean {
    return this.total(now) === 0;
  }
}

/**
 * Limits on calls and bytes. All that apply hold, so of two that contradict each other the stricter one decides. `find` and `take` are
 * synchronous: without an `await` between them no two calls share what is left.
 */
export class WindowLimits {
  readonly #limits: readonly { readonly limit: WindowLimit; readonly counts: PrincipalTable<Window> }[];
  readonly #now: () => number;

  /** @param now monotonic milliseconds */
  constructor(limits: readonly WindowLimit[], now: () => number, maxPrincipals = MAX_COUNTED_PRINCIPALS) {
    this.#limits = limits.map((limit) => ({
      limit,
      counts: new PrincipalTable(() => new Window(limit.windowMs), maxPrincipals),
    }));
    this.#now = now;
  }

  /** The first limit that the call would go over; `null` if there is none. It counts nothing. */
  find(call: LimitedCall): OverLimit | null {
    const now = this.#now();
    for (const [index, { limit, counts }] of this.#limits.entries()) {
      if (!applies(limit, call)) continue;
      if (!counts.hasRoomFor(call.principal, now)) return { kind: "uncounted" };
      const counted = counts.find(call.principal)?.total(now) ?? 0;
      if (counted >= COUNT_BOUND || counted + amountOf(limit, call) > limit.max)
        return { kind: "reached", index, of: limit.of };
    }
    return null;
  }

  /** Counts a call that goes out. */
  take(call: LimitedCall): void {
    const now = this.#now();
    for (const { limit, counts } of this.#limits)
      if (applies(limit, call)) counts.of(call.principal, now)?.add(now, amountOf(limit, call));
  }
}

function applies({ principal, tool }: WindowLimit, call: LimitedCall): boolean {
  return (principal === null || principal === call.principal) && (tool === null || tool === call.tool);
}

function amountOf({ of }: WindowLimit, { calls, bytes }: LimitedCall): number {
  return of === "calls" ? calls : bytes;
}
