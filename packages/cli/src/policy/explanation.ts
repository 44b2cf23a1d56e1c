import type { AuditEntry } from "@cmcp/audit";
import type { RulePlace } from "@cmcp/policy/authoring";
import { approvalLines } from "./approval-terms.ts";
import type { Outcome } from "./decide-saved.ts";
import type { RecordedCall } from "./recorded-call.ts";

/** Words that stand in place of rules: what they say, and what would have had to differ. */
const FIXED: Readonly<Record<string, string>> = {
  "default-deny": "no rule permits the call: one of the permits below would have had to apply",
  "evaluation-error": "a rule failed while it was evaluated: it reads something that the call does not have",
  "engine-failure": "the policy engine failed, so no rule was evaluated",
  "allow-without-reason": "the engine allowed the call without a rule, which counts as a denial",
  "request-invalid": "the call does not fit schema.cedarschema: an argument is missing or has another type",
  "context-bound": "a value that rules read is longer than a rule may see",
  "catalog-drift": "the server's definition is not the approved one; no rule was at fault",
  "consequential-untrusted": "the tool is consequential, and the session has seen text of a server without trust",
  "input-not-requested": "the answer is to no open question",
  "input-schema": "the arguments do not fit the approved input schema",
  "not-in-catalog": "nothing in the catalog has this name",
  "request-state": "the repeated request's state is not one that the gateway gave",
  "server-not-callable": "the catalog pins no key for the server",
  "task-support": "the tool cannot run as a task",
  "unknown-data-class": "the declared data class is not a known label",
  budget: "the principal sent more bytes than a budget of the configuration allows",
  rate_limit: "the principal made more calls than a rate limit of the configuration allows, or they cannot be counted",
  sink_policy: "a ceiling of sink_policy is below the label of the session or of the call's data",
  kill_switch: "the kill switch has stopped the principal",
  policy_signing_key_revoked: "the key that signed the policy is revoked",
  response_schema_violation: "the result does not fit the approved output schema",
  response_size_exceeded: "the result is larger than max_response_size_bytes",
  response_unprojectable: "no schema tells apart the fields to redact, so the result was withheld",
  response_withheld: "the result was withheld",
  "workflow-not-allowed": "the caller may not use the workflow that it named",
  "workflow-required": "the caller has several workflows and named none",
};

/** The decision made again with the operator's request. */
export interface Repetition {
  readonly outcome: Outcome;
  /** Whether the request hashes to what the record has; `null` where the record's hash is salted. */
  readonly sameRequest: boolean | null;
  /** Whether the record names approvals that lifted the very refusal that is decided again. */
  readonly isLifted: boolean;
  /** Changes of what the record holds, and the decision each would have brought. */
  readonly variants: readonly { readonly change: string; readonly decision: string }[];
}

/** Why a recorded call was decided so. */
export interface Explanation {
  readonly recorded: RecordedCall;
  readonly policyHash: string;
  readonly samePolicy: boolean;
  readonly sameCatalog: boolean;
  readonly rules: readonly RulePlace[];
  /** Rules of the record that the bundle does not have, fixed words among them. */
  readonly otherRules: readonly string[];
  /** Where no rule permits the call: permits whose scope matches it. */
  readonly permits: readonly RulePlace[];
  readonly repetition: Repetition | null;
}

/** What a word that stands in place of a rule says; `null` for any other word. */
export function fixedMeaning(word: string): string | null {
  // Behind a colon stands which limit it was.
  const [kind = ""] = word.split(":", 1);
  return Object.hasOwn(FIXED, kind) ? (FIXED[kind] ?? null) : null;
}

function ruleLines(rule: RulePlace): readonly string[] {
  return [
    `  ${rule.label} (${rule.effect}), ${rule.file}:${rule.line}`,
    ...(rule.reason === null ? [] : [`    reason: ${rule.reason}`]),
    ...(rule.approval === null ? [] : approvalLines(rule.approval).map((line) => `    ${line}`)),
    ...(rule.reads.length === 0 ? [] : [`    reads:  ${rule.reads.join(", ")}`]),
  ];
}

function factLines({ entry, root, labelsBefore, untrustedBefore }: RecordedCall): readonly string[] {
  const facts: readonly (readonly [string, string | number | null | undefined])[] = [
    ["tool", entry.tool_name],
    ["server", entry.server_identity],
    ["principal", root.detail?.["principal"]],
    ["workflow", entry.workflow_id],
    ["label before", entry.session_sensitivity_before],
    ["all labels before", labelsBefore.length > 1 ? labelsBefore.join(", ") : null],
    ["integrity before", untrustedBefore ? "untrusted" : "trusted"],
    ["label after", entry.session_sensitivity_after],
    ...Object.entries(entry.detail ?? {}).map(([name, value]) => [`detail.${name}`, value] as const),
  ];
  return facts.flatMap(([name, value]) => (value == null ? [] : [`  ${name}: ${value}`]));
}

function sameRequestLine(same: boolean | null): string {
  if (same === null)
    return "  whether the request is the recorded one is not shown: request_payload_hash is salted, and no salt was given";
  return same
    ? "  the request is the recorded one: its hash is request_payload_hash"
    : "  the request is not shown to be the recorded one: its hash is not request_payload_hash. The call may have carried " +
        "more than arguments (a task, answers, a trace context)";
}

function repetitionLines(
  { outcome, sameRequest, isLifted, variants }: Repetition,
  entry: AuditEntry,
): readonly string[] {
  return [
    "",
    `decided again with --request: ${outcome.decision}, by ${outcome.rule}`,
    ...(outcome.reason === null ? [] : [`  reason: ${outcome.reason}`]),
    ...(isLifted ? ["  the approvals that the record names lifted this"] : []),
    sameRequestLine(sameRequest),
    ...(entry.policy_rule_matched === outcome.rule ? [] : ["  the record names other rules"]),
    ...variants.map(({ change, decision }) => `  ${change}: ${decision}`),
  ];
}

/** The explanation as text. */
export function explanationText(explanation: Explanation): string {
  const { recorded, policyHash, samePolicy, sameCatalog, rules, otherRules, permits, repetition } = explanation;
  const { entry } = recorded;
  return [
    `${entry.policy_decision ?? "n/a"}, by ${entry.policy_rule_matched ?? "no rule"}`,
    ...rules.flatMap(ruleLines),
    ...otherRules.map((word) => `  ${word}: ${fixedMeaning(word) ?? "the policy given has no such rule"}`),
    ...(permits.length === 0
      ? []
      : ["permits for this tool, whose conditions were not met:", ...permits.flatMap(ruleLines)]),
    "",
    "the record says",
    ...factLines(recorded),
    "",
    samePolicy
      ? "the policy given is the one that decided"
      : `the policy given is not the one that decided: its hash is ${policyHash}`,
    sameCatalog
      ? "the catalog given is the session's"
      : "the catalog given is not the session's: what is said of it may not hold",
    ...(repetition === null ? [] : repetitionLines(repetition, entry)),
    "",
  ].join("\n");
}
