import { PROMPT, RESOURCE_ITEM, TOOL } from "../actions.ts";
import { PROMPT_FACTS, RESOURCE_FACTS, TOOL_FACTS, type FactKind, type FactTable } from "../facts.ts";

/** Attributes of each Cedar type that a request can be about. */
export const SUBJECT_FACTS: ReadonlyMap<string, FactTable> = new Map([
  [TOOL, TOOL_FACTS],
  ["Resource", TOOL_FACTS],
  [RESOURCE_ITEM, RESOURCE_FACTS],
  [PROMPT, PROMPT_FACTS],
]);

/** A Cedar type a caller's argument may be projected to. */
export type ArgumentType =
  | { readonly kind: "String" | "Long" | "Bool" }
  | { readonly kind: "Set"; readonly element: "String" | "Long" | "Bool" }
  | { readonly kind: "Record"; readonly attributes: readonly PlannedArgument[] };

/** One argument that reaches the engine. */
export interface PlannedArgument {
  readonly name: string;
  readonly required: boolean;
  readonly type: ArgumentType;
}

/** One fact that reaches the engine. */
export interface PlannedFact {
  readonly name: string;
  readonly kind: FactKind;
  readonly required: boolean;
}

/** What the engine sees of a request: nothing that the schema does not declare, and nothing optional that no rule reads. */
export interface Projection {
  readonly principal: readonly PlannedFact[];
  /** By Cedar type, for those the schema has actions on. */
  readonly subjects: ReadonlyMap<string, readonly PlannedFact[]>;
  /** By Cedar action id. */
  readonly contexts: ReadonlyMap<string, ContextProjection>;
}

/** The context of one action; `arguments` is `null` when the schema declares none. */
export interface ContextProjection {
  readonly facts: readonly PlannedFact[];
  readonly arguments: readonly PlannedArgument[] | null;
}
