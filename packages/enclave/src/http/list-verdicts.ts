import { hash } from "node:crypto";
import { principalFacts } from "../access/caller.ts";
import { workflowOf, type DecisionInput } from "../call/call.ts";

/** Most bytes of verdicts in memory: one for each target of a list. The list that was not read for longest gives way. */
const MAX_BYTES = 4 * 1024 * 1024;

/** Whether each target of one list is in it, as far as that was decided. */
export class ListVerdicts {
  readonly #verdicts: Uint8Array;

  constructor(targets: number) {
    this.#verdicts = new Uint8Array(targets);
  }

  /** `undefined` for a target that is not decided yet. */
  get(target: number): boolean | undefined {
    const verdict = this.#verdicts[target] ?? 0;
    return verdict === 0 ? undefined : verdict === 1;
  }

  set(target: number, listed: boolean): void {
    this.#verdicts[target] = listed ? 1 : 2;
  }

  get bytes(): number {
    return this.#verdicts.byteLength;
  }
}

/** Everything that a list's decisions depend on: lists are decided without arguments, history and labels. */
function keyOf(kind: string, { caller, recorded, policyRequest, policy, catalog }: DecisionInput): string {
  const readsSession = policy.reads("principal", "session_id") || policy.reads("context", "session_id");
  return hash(
    "sha256",
    JSON.stringify([
      kind,
      policy.bundle.hash,
      catalog.hash,
      principalFacts(caller),
      workflowOf(policyRequest),
      readsSession ? recorded.id : null,
    ]),
  );
}

/**
 * The verdicts of lists, remembered for each principal with its identity, workflow, policy and catalog, and for each session
 * where a rule reads which session it is. Pages of one list and later lists of the same caller decide each target once.
 */
export class ListMemory {
  readonly #lists = new Map<string, ListVerdicts>();
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes = MAX_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** The verdicts of one list of `targets` targets. */
  of(kind: string, call: DecisionInput, targets: number): ListVerdicts {
    const key = keyOf(kind, call);
    const known = this.#lists.get(key);
    const verdicts = known ?? new ListVerdicts(targets);
    // The latest stands last.
    this.#lists.delete(key);
    this.#lists.set(key, verdicts);
    if (known === undefined) this.#bytes += verdicts.bytes;
    for (const [oldest, { bytes }] of this.#lists) {
      if (this.#bytes <= this.#maxBytes || oldest === key) break;
      this.#lists.delete(oldest);
      this.#bytes -= bytes;
    }
    return verdicts;
  }

  get size(): number {
    return this.#lists.size;
  }
}
