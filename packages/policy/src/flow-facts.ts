import type { Fact } from "./fact.ts";
import { BOOL, LONG, recordType, STRING, STRINGS, type FactType, type FactValue } from "./fact-type.ts";
import type { FlowFact, FlowFacts } from "./flow.ts";

const FLOW = recordType({
  source_server: STRING,
  source_tool: STRING,
  labels: STRINGS,
  kind: STRING,
  path: STRING,
  coverage: LONG,
});

function fact(type: FactType, meaning: string, of: (flows: FlowFacts) => FactValue): Fact {
  return { type, meaning, sourced: true, optional: false, on: null, of: ({ flows }) => of(flows) };
}

function distinct(meaning: string, textsOf: (flow: FlowFact) => readonly string[]): Fact {
  return fact(STRINGS, meaning, ({ flows }) => [...new Set(flows.flatMap(textsOf))].sort());
}

function recordOf({ sourceServer, sourceTool, labels, kind, path, coverage }: FlowFact): FactValue {
  return { source_server: sourceServer, source_tool: sourceTool, labels, kind, path, coverage };
}

/** Attributes of the context that say what earlier results stand in a request. */
export const FLOW_FACTS: readonly (readonly [string, Fact])[] = [
  [
    "flows",
    fact({ kind: "Set", element: FLOW }, "earlier results that stand in what is sent", ({ flows }) =>
      flows.map(recordOf),
    ),
  ],
  ["flow_labels", distinct("every compartment of those results", ({ labels }) => labels)],
  ["flow_servers", distinct("the servers they came from", ({ sourceServer }) => [sourceServer])],
  ["flow_tools", distinct("the tools they came from", ({ sourceTool }) => [sourceTool])],
  ["flow_kinds", distinct("how they match: `exact`, `fingerprint`, `encoded`", ({ kind }) => [kind])],
  [
    "flow_coverage",
    fact(LONG, "the highest coverage in percent, 0 for no flow", ({ flows }) =>
      flows.reduce((highest, { coverage }) => Math.max(highest, coverage), 0),
    ),
  ],
  ["flows_complete", fact(BOOL, "`false` when a flow may be missing", ({ complete }) => complete)],
];

/** The names of {@link FLOW_FACTS}. Looking for flows takes time and memory, so that it is done only for rules that read one. */
export const FLOW_ATTRIBUTES: readonly string[] = FLOW_FACTS.map(([name]) => name);
