import type { Findings } from "@cmcp/findings";
import type { GovernedAction } from "./actions.ts";
import type { CompiledPolicy } from "./compiled.ts";
import type { Fact } from "./fact.ts";
import { BOOL, LONG, recordType, STRINGS, type FactValue } from "./fact-type.ts";

/** What rules read of the findings in one message. */
const FINDINGS_RECORD = recordType({
  secrets: LONG,
  personal_data: LONG,
  contacts: LONG,
  injection_marks: LONG,
  injection_score: LONG,
  hidden_text: BOOL,
  carrying_links: LONG,
  kinds: STRINGS,
  complete: BOOL,
});

function recordOf(found: Findings): FactValue {
  return {
    secrets: found.secrets,
    personal_data: found.personalData,
    contacts: found.contacts,
    injection_marks: found.injectionMarks,
    injection_score: found.injectionScore,
    hidden_text: found.hiddenText,
    carrying_links: found.carryingLinks,
    kinds: found.kinds,
    complete: found.complete,
  };
}

const WITH_ARGUMENTS: readonly GovernedAction[] = [
  "call_tool",
  "read_resource",
  "get_prompt",
  "complete",
  "ask_client",
  "deliver_result",
  "server_egress",
];

const fact = (rest: Pick<Fact, "type" | "meaning" | "on" | "of">): Fact => ({
  ...rest,
  sourced: true,
  optional: false,
});

/** The attribute that tells what stands in the arguments. */
export const ARGUMENT_FINDINGS = "argument_findings";
const RESULT_FINDINGS = "result_findings";

/** Attributes of the context that tell what stands in arguments and results. They are computed for rules that read them. */
export const FINDING_FACTS: readonly (readonly [string, Fact])[] = [
  [
    ARGUMENT_FINDINGS,
    fact({
      type: FINDINGS_RECORD,
      meaning: "what detectors find in the arguments, and with `ask_client` in an answer",
      on: WITH_ARGUMENTS,
      of: ({ argumentFindings }) => (argumentFindings === undefined ? undefined : recordOf(argumentFindings())),
    }),
  ],
  [
    RESULT_FINDINGS,
    fact({
      type: FINDINGS_RECORD,
      meaning: "what detectors find in the result or message",
      on: ["deliver_result"],
      of: ({ delivery }) => (delivery === undefined ? undefined : recordOf(delivery.findings())),
    }),
  ],
  [
    "result_bytes",
    fact({
      type: LONG,
      meaning: "bytes of the canonical JSON of the result or message",
      on: ["deliver_result"],
      of: ({ delivery }) => delivery?.bytes,
    }),
  ],
];

/** Whether some rule reads what detectors find. */
export function readsFindings(policy: Pick<CompiledPolicy, "reads">): boolean {
  return [ARGUMENT_FINDINGS, RESULT_FINDINGS].some((attribute) => policy.reads("context", attribute));
}
