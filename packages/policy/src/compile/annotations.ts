import { CmcpError } from "@cmcp/boundary";
import type { ApprovalTerms, DisclosureTerms, Rule } from "../verdict.ts";

const MAX_ID = 128;
const MAX_REASON = 512;
const MAX_FIELDS = 64;
/** Most approvals of one call, and most approvers that a rule names. */
const MAX_APPROVERS = 16;
const APPROVER = /^[a-z0-9][a-z0-9._-]{0,63}$/;
// Plain names and dotted paths; anything else would redact nothing, and so leak.
const FIELD = /^[A-Za-z0-9_$-]+(\.[A-Za-z0-9_$-]+)*$/;

type Annotations = Readonly<Record<string, string>>;

function refuse(location: string, why: string): never {
  throw new CmcpError("POLICY_BUNDLE_INVALID", `${location}: ${why}`);
}

function adviceOf(location: string, text: string | undefined): Rule["advice"] {
  const value = text?.trim().toLowerCase();
  if (value === undefined || value === "deny") return null;
  if (value === "require_approval") return "step_up";
  if (value === "step_up" || value === "defer") return value;
  return refuse(location, `@aarm_decision must be "step_up", "require_approval", "defer" or "deny"`);
}

/** What lifts a forbid that advises `step_up`. */
function approvalOf(
  location: string,
  of: (name: string) => string | undefined,
  { effect, advice }: Pick<Rule, "effect" | "advice">,
): { readonly approval?: ApprovalTerms } {
  const [names, count, reason] = [of("approvers"), of("approvals"), of("approval_reason")];
  if (effect === "permit" || advice !== "step_up") {
    const lost = { approvers: names, approvals: count, approval_reason: reason };
    for (const [name, text] of Object.entries(lost))
      if (text !== undefined)
        refuse(location, `@${name} has no effect here; put it on a forbid with @aarm_decision("step_up")`);
    return {};
  }
  const approvers = names === undefined ? null : approversOf(location, "approvers", names);
  const needed = count === undefined ? 1 : Number(count.trim());
  if (!Number.isInteger(needed) || needed < 1 || needed > MAX_APPROVERS)
    refuse(location, `@approvals must be a whole number from 1 to ${MAX_APPROVERS}`);
  if (approvers !== null && approvers.length < needed)
    refuse(location, "@approvals asks for more approvals than @approvers names approvers");
  return { approval: { needed, approvers, reason: reason?.slice(0, MAX_REASON) ?? null } };
}

/** Names of approvers in an annotation. */
function approversOf(location: string, name: string, text: string): readonly string[] {
  const approvers = text.split(",").map((one) => one.trim());
  if (approvers.length > MAX_APPROVERS || !approvers.every((one) => APPROVER.test(one)))
    refuse(location, `@${name} must be names of approvers separated by commas, at most ${MAX_APPROVERS}`);
  if (new Set(approvers).size !== approvers.length) refuse(location, `@${name} names one twice`);
  return approvers;
}

/** What lifts a forbid with `@disclosure`. */
function disclosureOf(
  location: string,
  owners: string | undefined,
  { effect, advice }: Pick<Rule, "effect" | "advice">,
): { readonly disclosure?: DisclosureTerms } {
  if (owners === undefined) return {};
  if (effect === "permit" || advice !== null)
    refuse(location, "@disclosure has no effect here; put it on a forbid without @aarm_decision");
  return { disclosure: { owners: approversOf(location, "disclosure", owners) } };
}

function fieldsOf(location: string, name: string, text: string | undefined, effect: Rule["effect"]): readonly string[] {
  if (text === undefined) return [];
  if (effect === "forbid") refuse(location, `@${name} on a forbid has no effect; put it on the permit`);
  const names = text.split(",").map((field) => field.trim());
  if (names.length > MAX_FIELDS || !names.every((field) => field.length <= MAX_ID && FIELD.test(field))) {
    refuse(location, `@${name} must be field names or dotted paths separated by commas, at most ${MAX_FIELDS}`);
  }
  return names;
}

/** What a rule redacts, and what free text it lets stay beside. */
function redactionOf(
  location: string,
  of: (name: string) => string | undefined,
  effect: Rule["effect"],
): Pick<Rule, "redactFields" | "keepFields"> {
  const redactFields = fieldsOf(location, "redact_fields", of("redact_fields"), effect);
  const keepFields = fieldsOf(location, "keep_fields", of("keep_fields"), effect);
  if (keepFields.length > 0 && redactFields.length === 0)
    refuse(location, "@keep_fields without @redact_fields has no effect: nothing is taken out");
  const both = keepFields.find((field) => redactFields.includes(field));
  if (both !== undefined) refuse(location, `@keep_fields and @redact_fields both name ${both}`);
  return { redactFields, keepFields };
}

/**
 * What the annotations of one policy say: `@id`, `@reason`, `@aarm_decision`, `@approvers`, `@approvals`, `@approval_reason`,
 * `@disclosure`, `@redact_fields`, `@keep_fields`. Others are left alone.
 *
 * @throws CmcpError `POLICY_BUNDLE_INVALID` for a value that would be silently ignored.
 */
export function readAnnotations(
  location: string,
  annotations: Annotations,
  effect: Rule["effect"],
): Omit<Rule, "readsSensitivity"> {
  const of = (name: string): string | undefined => (Object.hasOwn(annotations, name) ? annotations[name] : undefined);
  const id = of("id")?.trim();
  if (id !== undefined && (id.length > MAX_ID || /[\p{Cc},]/u.test(id)))
    refuse(location, `@id must be at most ${MAX_ID} characters without commas or control characters`);
  const advice = adviceOf(location, of("aarm_decision"));
  return {
    label: id === undefined || id === "" ? location : id,
    effect,
    reason: of("reason")?.slice(0, MAX_REASON) ?? null,
    advice,
    ...approvalOf(location, of, { effect, advice }),
    ...disclosureOf(location, of("disclosure"), { effect, advice }),
    ...redactionOf(location, of, effect),
  };
}
