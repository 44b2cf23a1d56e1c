import { CmcpError } from "@cmcp/boundary";
import type { Peer } from "@cmcp/mcp";
import type { CallApprovals } from "./approve.ts";
import type { Call } from "./call.ts";
import type { Decider } from "./decide.ts";
import type { Detail, Ending, Step } from "./ending.ts";
import type { Permit } from "./permit.ts";
import type { Rules } from "./rules.ts";

/** Most calls of one principal that wait because a rule defers them, and of all. */
export const MAX_DEFERRED_OF_PRINCIPAL = 4;
export const MAX_DEFERRED = 64;
/** Most decisions on one call. After so many the call waits for the end of its time. */
export const MAX_DECISIONS = 16;
/** When a call is decided again whatever happens, in parts of the time that it may wait. */
const POINTS = [1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 1] as const;

/** Methods that wait. A subscription, a completion and what is about a task are refused at once. */
const WAITING: ReadonlySet<string> = new Set(["tools/call", "resources/read", "prompts/get"]);

/** What waiting needs. */
export interface DeferralPorts {
  /** How long a call may wait, in milliseconds; 0 for not at all. */
  readonly ms: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Runs something later. @returns what cancels it */
  readonly later: (ms: number, run: () => void) => () => void;
}

/** Waits without holding the slot of a running request. @throws CmcpError `OVERLOADED`, `REQUEST_CANCELLED` */
export type WhileWaiting = <T>(wait: () => Promise<T>) => Promise<T>;

/** The calls that wait because a rule defers them. */
export class Deferrals {
  readonly #ports: DeferralPorts;
  /** What wakes each, by principal. */
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(ports: DeferralPorts) {
    this.#ports = ports;
  }

  /** Number of calls that wait. */
  get size(): number {
    return [...this.#waiting.values()].reduce((sum, calls) => sum + calls.size, 0);
  }

  /** Has the calls of a principal decided again: something of it is in the record that was not. */
  changed(principal: string): void {
    for (const wake of this.#waiting.get(principal) ?? []) wake();
  }

  /** Whether a refused call waits. */
  takes({ request, isFollowUp }: Call, step: Step<Permit>): step is Ending {
    return (
      step.kind === "ending" &&
      step.decision === "defer" &&
      this.#ports.ms > 0 &&
      WAITING.has(request.method) &&
      !isFollowUp
    );
  }

  /** The time of a call that begins to wait; `null` where too many wait. */
  begin(principal: string): Deferral | null {
    const own = this.#waiting.get(principal) ?? new Set();
    if (own.size >= MAX_DEFERRED_OF_PRINCIPAL || this.size >= MAX_DEFERRED) return null;
    this.#waiting.set(principal, own);
    return new Deferral(this.#ports, own, () => {
      if (own.size === 0) this.#waiting.delete(principal);
    });
  }
}

/** The time of one call that waits. */
class Deferral {
  readonly #ports: DeferralPorts;
  readonly #waiting: Set<() => void>;
  readonly #emptied: () => void;
  readonly #since: number;
  readonly #wake = (): void => this.#woken();
  #decisions = 0;
  #changed = false;
  #woken: () => void = () => undefined;

  constructor(ports: DeferralPorts, waiting: Set<() => void>, emptied: () => void) {
    this.#ports = ports;
    this.#waiting = waiting;
    this.#emptied = emptied;
    this.#since = ports.now();
    this.#woken = () => void (this.#changed = true);
    waiting.add(this.#wake);
  }

  /** Milliseconds so far. */
  get waitedMs(): number {
    return Math.round(this.#ports.now() - this.#since);
  }

  get isOver(): boolean {
    return this.#ports.now() - this.#since >= this.#ports.ms;
  }

  /** Resolves when the call is to be decided again: something changed, a point of its time is reached, or nobody waits for it. */
  async next(signal: AbortSignal): Promise<void> {
    const { now, later, ms } = this.#ports;
    this.#decisions += 1;
    const heeds = this.#decisions < MAX_DECISIONS;
    if (signal.aborted || (heeds && this.#changed)) return void (this.#changed = false);
    const passed = now() - this.#since;
    const point = heeds ? (POINTS.find((part) => part * ms > passed) ?? 1) : 1;
    const due = Promise.withResolvers<unknown>();
    if (heeds) this.#woken = () => due.resolve(null);
    const cancel = later(Math.max(0, point * ms - passed), () => due.resolve(null));
    signal.addEventListener("abort", due.resolve);
    await due.promise;
    signal.removeEventListener("abort", due.resolve);
    cancel();
    this.#changed = false;
    this.#woken = () => void (this.#changed = true);
  }

  end(): void {
    this.#waiting.delete(this.#wake);
    this.#emptied();
  }
}

/** A call under the policy that decided it, and the decision. */
export interface Decided {
  readonly call: Call;
  readonly approvals: CallApprovals;
  readonly decision: Step<Permit>;
}

/** A call, and what it goes on or ends with. */
export interface Concluded {
  readonly call: Call;
  readonly approvals: CallApprovals;
  readonly step: Step<Permit>;
}

/** What decides a call, once or again. */
export interface DecidingPorts {
  readonly decider: Pick<Decider, "decide" | "count">;
  readonly deferrals: Deferrals;
  readonly rules: () => Rules;
  readonly approvals: (call: Call) => CallApprovals;
  /** Makes something of the decision that stands, in the same turn: an approval that lifted a refusal is used up. */
  readonly conclude: (decided: Decided, waited: Detail) => Step<Permit>;
}

/**
 * Decides a call. Where a rule defers it, it waits a bounded time and is decided again, by the rules and on the facts of then. Nothing is sent
 * meanwhile, and nothing is awaited between the last decision and its use.
 */
export async function decideOrWait(
  first: Call,
  { signal }: Pick<Peer, "signal">,
  whileWaiting: WhileWaiting,
  ports: DecidingPorts,
): Promise<Concluded> {
  const { decider, deferrals } = ports;
  const decide = (call: Call, isLast: boolean): Decided => {
    const approvals = ports.approvals(call);
    const decision = decider.decide(call, approvals, (step) => isLast || !deferrals.takes(call, step));
    return { call, approvals, decision };
  };
  const conclude = (decided: Decided, waited: Detail = {}): Concluded => ({
    call: decided.call,
    approvals: decided.approvals,
    step: ports.conclude(decided, waited),
  });
  /** The refusal of a call that waits no longer. It counts as every other. */
  const giveUp = (decided: Decided, waited?: Detail): Concluded => {
    decider.count(decided.call, decided.decision);
    return conclude(decided, waited);
  };
  let decided = decide(first, false);
  if (!deferrals.takes(first, decided.decision)) return conclude(decided);
  const deferral = deferrals.begin(first.recorded.session.principalId);
  if (deferral === null) return giveUp(decided);
  try {
    for (;;) {
      const goesOn = await wait(whileWaiting, async () => await deferral.next(signal));
      const waited = { deferred_ms: deferral.waitedMs };
      if (!goesOn || signal.aborted) return giveUp(decided, waited);
      const isLast = deferral.isOver;
      decided = decide({ ...first, ...ports.rules() }, isLast);
      if (isLast || !deferrals.takes(first, decided.decision)) return conclude(decided, waited);
    }
  } finally {
    deferral.end();
  }
}

/** @returns whether the call has its slot again: it has none once its agent is gone, or where nobody may wait */
async function wait(whileWaiting: WhileWaiting, work: () => Promise<void>): Promise<boolean> {
  try {
    await whileWaiting(work);
    return true;
  } catch (thrown) {
    if (thrown instanceof CmcpError && (thrown.code === "OVERLOADED" || thrown.code === "REQUEST_CANCELLED"))
      return false;
    throw thrown;
  }
}
