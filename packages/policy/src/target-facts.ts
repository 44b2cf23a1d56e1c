import { always, BOOL, LONG, recordType, STRING, STRINGS, type Fact, type FactType, type FactValue } from "./fact.ts";

/** Paths and URLs of a call's arguments in the forms that rules compare. What could not be read is the empty text in each set. */
export interface ArgumentTargets {
  readonly urls: readonly {
    readonly argument: string;
    readonly raw: string;
    readonly url: string;
    readonly scheme: string;
    readonly host: string;
    readonly port: number;
    readonly path: string;
  }[];
  readonly hosts: readonly string[];
  readonly schemes: readonly string[];
  readonly paths: readonly string[];
  readonly commonPath: string;
  readonly pathEscapes: boolean;
  readonly complete: boolean;
}

/** An attribute of tool calls that follows from their paths and URLs. */
const ofTargets = (type: FactType, of: (targets: ArgumentTargets) => FactValue): Fact => ({
  ...always(type, (facts) => ("tool" in facts && facts.targets !== undefined ? of(facts.targets()) : undefined)),
  on: ["call_tool"],
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
    ofTargets({ kind: "Set", element: URL_RECORD }, ({ urls }) => urls.map((target): FactValue => ({ ...target }))),
  ],
  ["argument_hosts", ofTargets(STRINGS, ({ hosts }) => hosts)],
  ["argument_schemes", ofTargets(STRINGS, ({ schemes }) => schemes)],
  ["argument_paths", ofTargets(STRINGS, ({ paths }) => paths)],
  ["argument_common_path", ofTargets(STRING, ({ commonPath }) => commonPath)],
  ["argument_path_escapes", ofTargets(BOOL, ({ pathEscapes }) => pathEscapes)],
  ["argument_targets_complete", ofTargets(BOOL, ({ complete }) => complete)],
];

/** Context attributes that follow from a call's arguments. A list is decided without them. */
export const ARGUMENT_ATTRIBUTES: ReadonlySet<string> = new Set(["arguments", ...TARGET_FACTS.map(([name]) => name)]);
