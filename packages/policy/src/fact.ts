import type { GovernedAction } from "./actions.ts";
import type { FactType, FactValue } from "./fact-type.ts";
import type { GovernedFacts } from "./facts.ts";

/** One attribute a policy may read. */
export interface Fact {
  readonly type: FactType;
  /** What the attribute says, for the reference page. */
  readonly meaning: string;
  /** False for an attribute the normative schema requires but nothing tells the gateway: no policy may rest on it. */
  readonly sourced: boolean;
  /** True when some requests have no such value, so that a schema must declare it optional. */
  readonly optional: boolean;
  /** The actions whose requests have such a value, and always do; `null` for an attribute of every request. */
  readonly on: readonly GovernedAction[] | null;
  /** `undefined` when this request has no such value. */
  readonly of: (facts: GovernedFacts) => FactValue | undefined;
}

/** Whether requests of an action have a fact. @param action `null` for the call of a tool that has an action of its own */
export function isFactOf({ on }: Fact, action: string | null): boolean {
  return on === null || on.some((one) => one === (action ?? "call_tool"));
}

/** Attributes by name. A Map, because names come from a bundle. */
export type FactTable = ReadonlyMap<string, Fact>;
