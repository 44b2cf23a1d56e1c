import type { FactKind } from "../facts.ts";

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

/** What the engine sees of a call: nothing that the schema does not declare, and nothing optional that no rule reads. */
export interface Projection {
  readonly principal: readonly PlannedFact[];
  readonly resource: readonly PlannedFact[];
  /** By Cedar action id. */
  readonly contexts: ReadonlyMap<string, ContextProjection>;
}

/** The context of one action; `arguments` is `null` when the schema declares none. */
export interface ContextProjection {
  readonly facts: readonly PlannedFact[];
  readonly arguments: readonly PlannedArgument[] | null;
}
