/** Data of an earlier result that stands in what a request sends. */
export interface FlowFact {
  readonly sourceServer: string;
  readonly sourceTool: string;
  /** Compartments of the data of the call that delivered it. */
  readonly labels: readonly string[];
  /** `exact`, `fingerprint` or `encoded`. */
  readonly kind: string;
  /** JSON pointer into what is sent. */
  readonly path: string;
  /** Percent of that value, 1 to 100. */
  readonly coverage: number;
}

/** What the gateway found of earlier results in a request. */
export interface FlowFacts {
  readonly flows: readonly FlowFact[];
  /** False when a flow may be missing. */
  readonly complete: boolean;
}

/** The facts of a request that sends nothing. */
export const NO_FLOWS: FlowFacts = { flows: [], complete: true };
/** The facts where nobody looked. */
export const UNKNOWN_FLOWS: FlowFacts = { flows: [], complete: false };
