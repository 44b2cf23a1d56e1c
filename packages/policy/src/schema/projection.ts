import { PROMPT, RESOURCE_ITEM, TOOL } from "../actions.ts";
import type { FactTable } from "../fact.ts";
import { PROMPT_FACTS, RESOURCE_FACTS, TOOL_FACTS } from "../fact-tables.ts";

/** Attributes of each Cedar type that a request can be about. */
export const FACTS_BY_TYPE: ReadonlyMap<string, FactTable> = new Map([
  [TOOL, TOOL_FACTS],
  ["Resource", TOOL_FACTS],
  [RESOURCE_ITEM, RESOURCE_FACTS],
  [PROMPT, PROMPT_FACTS],
]);

/** A Cedar type to which a fact or a caller's argument is projected. */
export type ProjectedType =
  | { readonly kind: "String" | "Long" | "Bool" }
  | { readonly kind: "Set"; readonly element: ProjectedType }
  | { readonly kind: "Record"; readonly attributes: readonly PlannedAttribute[] };

/** One fact or argument that reaches the engine. */
export interface PlannedAttribute {
  readonly name: string;
  readonly required: boolean;
  readonly type: ProjectedType;
}

/** What the engine sees of a request: nothing that the schema does not declare, and nothing optional that no rule reads. */
export interface Projection {
  readonly principal: readonly PlannedAttribute[];
  /** By Cedar type, for those the schema has actions on. */
  readonly resources: ReadonlyMap<string, readonly PlannedAttribute[]>;
  /** By Cedar action id. */
  readonly contexts: ReadonlyMap<string, ContextProjection>;
}

/** The context of one action; `arguments` is `null` when the schema declares none. */
export interface ContextProjection {
  readonly facts: readonly PlannedAttribute[];
  readonly arguments: readonly PlannedAttribute[] | null;
}
