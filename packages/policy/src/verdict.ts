import { canonicalText, type JsonObject } from "@cmcp/boundary";

/** Why a call was decided as it was. */
export type VerdictCause =
  /** A rule of the bundle. */
  | "policy"
  /** No rule permits the call. */
  | "no-policy"
  /** Every rule that forbids it reads the session's sensitivity. */
  | "sensitivity"
  /** The call does not fit the schema: a missing or wrongly typed argument, or an action it does not know. */
  | "request-invalid"
  /** A value the rules read is longer than the context may hold. */
  | "context-bound"
  /** A rule failed while it was evaluated. */
  | "error"
  /** The engine failed, or answered what it never should: no rule has been evaluated. */
  | "fault";

/** What lets a refused call through once: approvals of people. */
export interface ApprovalTerms {
  /** `@approvals`: by so many distinct approvers. */
  readonly needed: number;
  /** `@approvers`: who may approve; `null` for everybody that the launch document lists. */
  readonly approvers: readonly string[] | null;
  /** `@approval_reason`: what approvers are told; `null` without one. */
  readonly reason: string | null;
}

/** What lets a refused call through once: an owner's permission to send exactly its arguments. */
export interface DisclosureTerms {
  /** `@disclosure`: approvers who may give it. */
  readonly owners: readonly string[];
}

/** The one decision on a call. Only `allow` and `redact` let it through. */
export interface Verdict {
  /** `step_up` and `defer` deny the call; they say that a person, or a later decision, could allow it. */
  readonly decision: "allow" | "redact" | "deny" | "step_up" | "defer";
  /** Determining rules, each its `@id` or `<file>#<n>`, joined by commas; or one of the fixed words of {@link fixedDeny}. */
  readonly rule: string;
  readonly cause: VerdictCause;
  /** `@reason` of the first determining rule that has one. Not for the caller: it may quote policy. */
  readonly reason: string | null;
  /** With `redact`: names of fields to remove from the tool's result before it is delivered. */
  readonly redactFields: readonly string[];
  /** With `redact`: names of fields whose free text may stay in that result. */
  readonly keepFields: readonly string[];
  /** With `step_up`: what lets the request through; absent where no approval does. */
  readonly approval?: ApprovalTerms;
  /** With `deny`: whose permission lets the request through; absent where nobody's does. */
  readonly disclosure?: DisclosureTerms;
}

/** Fixed words that stand in `rule` when no rule of the bundle decided. */
export type FixedRule =
  | "default-deny"
  | "evaluation-error"
  | "engine-failure"
  | "allow-without-reason"
  | "request-invalid"
  | "context-bound";

/** A deny no rule of the bundle made. */
export function fixedDeny(rule: FixedRule, cause: VerdictCause): Verdict {
  return { decision: "deny", rule, cause, reason: null, redactFields: [], keepFields: [] };
}

/** A rule of the bundle, as far as verdicts need it. */
export interface Rule {
  /** `@id`, else `<file>#<n>` counted from 1. */
  readonly label: string;
  readonly effect: "permit" | "forbid";
  readonly reason: string | null;
  /** `@aarm_decision`; `require_approval` is another word for `step_up`. */
  readonly advice: "step_up" | "defer" | null;
  /** What lifts a forbid that advises `step_up`; absent for every other rule. */
  readonly approval?: ApprovalTerms;
  /** What lifts a forbid with `@disclosure`; absent for every other rule. */
  readonly disclosure?: DisclosureTerms;
  /**
   * `@redact_fields`: fields of the tool's *result* (never of the arguments) to take out before delivery,
   * separated by commas, as in `@redact_fields("ssn,patient.address")`. A plain name means that property at
   * any depth; names joined by dots mean a property whose path ends so.
   */
  readonly redactFields: readonly string[];
  /**
   * `@keep_fields`, beside `@redact_fields` and written like it: fields of the result that are free text and stay.
   * Without it no free text of a result with redacted fields is delivered, because it could say what the fields said.
   */
  readonly keepFields: readonly string[];
  readonly readsSensitivity: boolean;
}

/** What the engine answered. */
export interface EngineResponse {
  readonly decision: "allow" | "deny";
  readonly diagnostics: { readonly reason: readonly string[]; readonly errors: readonly unknown[] };
}

const MAX_LABELS = 8;

function labelled(rules: readonly Rule[]): string {
  const labels = rules.map((rule) => rule.label).sort();
  return labels.length > MAX_LABELS
    ? `${labels.slice(0, MAX_LABELS).join(",")},+${labels.length - MAX_LABELS}`
    : labels.join(",");
}

/**
 * What all forbids advise, and what lifts them. Where they differ, in terms too, it is nothing, so that no approval and no permission lifts
 * another rule's deny.
 */
function agreedAdvice(rules: readonly Rule[]): Pick<Verdict, "decision" | "approval" | "disclosure"> {
  const [first, ...others] = rules;
  const terms = canonicalText(termsOf(first));
  const agree = others.every((rule) => rule.advice === first?.advice && canonicalText(termsOf(rule)) === terms);
  if (!agree || first === undefined) return { decision: "deny" };
  const { advice, approval, disclosure } = first;
  if (advice === null) return { decision: "deny", ...(disclosure === undefined ? {} : { disclosure }) };
  return { decision: advice, ...(approval === undefined ? {} : { approval }) };
}

function termsOf(rule: Rule | undefined): JsonObject | null {
  if (rule?.disclosure !== undefined) return { owners: [...rule.disclosure.owners] };
  if (rule?.approval === undefined) return null;
  const { approvers, ...terms } = rule.approval;
  return { ...terms, approvers: approvers === null ? null : [...approvers] };
}

/** What is taken out of a result, and what free text stays in it. */
export type Redaction = Pick<Verdict, "redactFields" | "keepFields">;

/**
 * What several rules take out together. Free text stays where every rule that redacts keeps it: what one takes out no
 * other brings back.
 */
export function redactionOf(rules: readonly Rule[]): Redaction {
  const redacting = rules.filter((rule) => rule.redactFields.length > 0);
  const [first, ...others] = redacting;
  const kept = (first?.keepFields ?? []).filter((field) => others.every((rule) => rule.keepFields.includes(field)));
  return {
    redactFields: [...new Set(redacting.flatMap((rule) => rule.redactFields))].sort(),
    keepFields: [...new Set(kept)].sort(),
  };
}

/**
 * Turns the engine's answer into a verdict, and closes what Cedar leaves open. Cedar skips a rule that fails, so any
 * error denies. An allow that names no permit denies.
 */
export function verdictOf(response: EngineResponse, rules: ReadonlyMap<string, Rule>): Verdict {
  if (response.diagnostics.errors.length > 0) return fixedDeny("evaluation-error", "error");
  const determining: Rule[] = [];
  // The engine names them in no fixed order.
  for (const id of [...response.diagnostics.reason].sort()) {
    const rule = rules.get(id);
    if (rule === undefined) return fixedDeny("engine-failure", "fault");
    determining.push(rule);
  }
  const common = {
    rule: labelled(determining),
    reason: determining.find((rule) => rule.reason !== null)?.reason ?? null,
  };
  if (response.decision === "allow") {
    if (determining.length === 0 || determining.some((rule) => rule.effect !== "permit"))
      return fixedDeny("allow-without-reason", "fault");
    // A permit that asks for a further decision does not allow by itself, whatever other permits say.
    const asking = determining.find((rule) => rule.advice !== null);
    if (asking?.advice)
      return { ...common, decision: asking.advice, cause: "policy", redactFields: [], keepFields: [] };
    const redaction = redactionOf(determining);
    return {
      ...common,
      decision: redaction.redactFields.length > 0 ? "redact" : "allow",
      cause: "policy",
      ...redaction,
    };
  }
  if (determining.length === 0) return fixedDeny("default-deny", "no-policy");
  const cause = determining.every((rule) => rule.readsSensitivity) ? "sensitivity" : "policy";
  return { ...common, ...agreedAdvice(determining), cause, redactFields: [], keepFields: [] };
}
