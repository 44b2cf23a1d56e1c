import type { Fact } from "./fact.ts";
import type { ArgumentTargets } from "./facts.ts";
import { ARGUMENT_FINDINGS } from "./finding-facts.ts";
import { BOOL, LONG, recordType, STRING, STRINGS, type FactType, type FactValue } from "./fact-type.ts";

/** An attribute of tool calls that follows from their paths and URLs. */
const ofTargets = (type: FactType, meaning: string, of: (targets: ArgumentTargets) => FactValue): Fact => ({
  type,
  meaning,
  sourced: true,
  optional: false,
  on: ["call_tool"],
  of: (facts) => ("tool" in facts && facts.targets !== undefined ? of(facts.targets()) : undefined),
});

const URL_RECORD = recordType({
  argument: STRING,
  raw: STRING,
  url: STRING,
  scheme: STRING,
  host: STRING,
  port: LONG,
  path: STRING,
});

/** Attributes of the context that tell of the paths and URLs of a call. */
export const TARGET_FACTS: readonly (readonly [string, Fact])[] = [
  [
    "argument_urls",
    ofTargets({ kind: "Set", element: URL_RECORD }, "each URL, as written and in its one form", ({ urls }) =>
      urls.map((target): FactValue => ({ ...target })),
    ),
  ],
  ["argument_hosts", ofTargets(STRINGS, "hosts of URLs and network paths, each in its one form", ({ hosts }) => hosts)],
  ["argument_schemes", ofTargets(STRINGS, "schemes of URLs, in lower case", ({ schemes }) => schemes)],
  ["argument_paths", ofTargets(STRINGS, "paths in their one form, those of `file` URLs too", ({ paths }) => paths)],
  [
    "argument_common_path",
    ofTargets(STRING, "the deepest path that holds all paths; empty without one", ({ commonPath }) => commonPath),
  ],
  [
    "argument_path_escapes",
    ofTargets(BOOL, "whether a path leaves its start or is disguised", ({ pathEscapes }) => pathEscapes),
  ],
  [
    "argument_targets_complete",
    ofTargets(BOOL, "whether all paths and URLs were read within bounds", ({ complete }) => complete),
  ],
];

/** Context attributes that follow from a call's arguments. A list is decided without them. */
export const ARGUMENT_ATTRIBUTES: ReadonlySet<string> = new Set([
  "arguments",
  ARGUMENT_FINDINGS,
  ...TARGET_FACTS.map(([name]) => name),
]);
