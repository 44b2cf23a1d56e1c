import type { GovernedAction } from "./actions.ts";
import { BOOL, LONG, STRING, STRINGS, type FactType, type FactValue } from "./fact-type.ts";
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

/** A fact that every request has. */
export function always(type: FactType, meaning: string, of: Fact["of"]): Fact {
  return { type, meaning, sourced: true, optional: false, on: null, of };
}
/** A text that every request has. */
export const text = (meaning: string, of: Fact["of"]): Fact => always(STRING, meaning, of);
/** A truth value that every request has. */
export const truth = (meaning: string, of: Fact["of"]): Fact => always(BOOL, meaning, of);
/** A number that every request has. */
export const whole = (meaning: string, of: Fact["of"]): Fact => always(LONG, meaning, of);
/** A set of texts that every request has. */
export const texts = (meaning: string, of: Fact["of"]): Fact => always(STRINGS, meaning, of);
/** A text that some requests have. */
export const maybe = (meaning: string, of: Fact["of"]): Fact => ({ ...text(meaning, of), optional: true });
