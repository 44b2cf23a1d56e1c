import type { GovernedAction } from "./actions.ts";
import type { GovernedFacts } from "./facts.ts";

/** A Cedar type the gateway can supply. */
export type FactType =
  | { readonly kind: "String" | "Long" | "Bool" }
  | { readonly kind: "Set"; readonly element: FactType }
  | {
      readonly kind: "Record";
      readonly members: ReadonlyMap<string, FactType>;
      /** Type of the members whose names a bundle chooses; absent where it chooses none. */
      readonly others?: FactType;
    };

/** A value of a {@link FactType}. */
export type FactValue = string | number | boolean | readonly FactValue[] | { readonly [member: string]: FactValue };

/** A scalar type. */
export const STRING: FactType = { kind: "String" };
/** A scalar type: a 64-bit number, of which the gateway supplies safe integers. */
export const LONG: FactType = { kind: "Long" };
/** A scalar type. */
export const BOOL: FactType = { kind: "Bool" };
/** A set of texts. */
export const STRINGS: FactType = { kind: "Set", element: STRING };

/** A record that always has each of these members. */
export function recordType(members: Readonly<Record<string, FactType>>): FactType {
  return { kind: "Record", members: new Map(Object.entries(members)) };
}

/** The type of a record's member; `undefined` for a member that no record of the type has, and for another type. */
export function memberType(type: FactType, name: string): FactType | undefined {
  return type.kind === "Record" ? (type.members.get(name) ?? type.others) : undefined;
}

/** One attribute a policy may read. */
export interface Fact {
  readonly type: FactType;
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

/** A fact of every request. */
export const always = (type: FactType, of: Fact["of"]): Fact => ({
  type,
  sourced: true,
  optional: false,
  on: null,
  of,
});
/** A text of every request. */
export const text = (of: Fact["of"]): Fact => always(STRING, of);
/** A truth value of every request. */
export const truth = (of: Fact["of"]): Fact => always(BOOL, of);
/** A number of every request. */
export const whole = (of: Fact["of"]): Fact => always(LONG, of);
/** A text that some requests lack. */
export const maybe = (of: Fact["of"]): Fact => ({ ...text(of), optional: true });
