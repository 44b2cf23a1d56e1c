import { CmcpError } from "@cmcp/boundary";
import type { Rule } from "../verdict.ts";

const MAX_ID = 128;
const MAX_REASON = 512;
const MAX_FIELDS = 64;
// Plain names and dotted paths; anything else would redact nothing, and so leak.
const FIELD = /^[A-Za-z0-9_$-]+(\.[A-Za-z0-9_$-]+)*$/;

type Annotations = Readonly<Record<string, string>>;

function refuse(place: string, why: string): never {
  throw new CmcpError("POLICY_BUNDLE_INVALID", `${place}: ${why}`);
}

function adviceOf(place: string, text: string | undefined): Rule["advice"] {
  const value = text?.trim().toLowerCase();
  if (value === undefined || value === "deny") return null;
  if (value === "step_up" || value === "defer") return value;
  return refuse(place, `@aarm_decision must be "step_up", "defer" or "deny"`);
}

function fieldsOf(place: string, name: string, text: string | undefined, effect: Rule["effect"]): readonly string[] {
  if (text === undefined) return [];
  if (effect === "forbid") refuse(place, `@${name} on a forbid has no effect; put it on the permit`);
  const names = text.split(",").map((field) => field.trim());
  if (names.length > MAX_FIELDS || !names.every((field) => field.length <= MAX_ID && FIELD.test(field))) {
    refuse(place, `@${name} must be field names or dotted paths separated by commas, at most ${MAX_FIELDS}`);
  }
  return names;
}

/** What a rule redacts, and what free text it lets stay beside. */
function redactionOf(
  place: string,
  of: (name: string) => string | undefined,
  effect: Rule["effect"],
): Pick<Rule, "redactFields" | "keepFields"> {
  const redactFields = fieldsOf(place, "redact_fields", of("redact_fields"), effect);
  const keepFields = fieldsOf(place, "keep_fields", of("keep_fields"), effect);
  if (keepFields.length > 0 && redactFields.length === 0)
    refuse(place, "@keep_fields without @redact_fields has no effect: nothing is taken out");
  const both = keepFields.find((field) => redactFields.includes(field));
  if (both !== undefined) refuse(place, `@keep_fields and @redact_fields both name ${both}`);
  return { redactFields, keepFields };
}

/**
 * What the annotations of one policy say: `@id`, `@reason`, `@aarm_decision`, `@redact_fields`, `@keep_fields`. Others are
 * left alone.
 *
 * @throws CmcpError `POLICY_BUNDLE_INVALID` for a value that would be silently ignored.
 */
export function readAnnotations(
  place: string,
  annotations: Annotations,
  effect: Rule["effect"],
): Omit<Rule, "readsSensitivity"> {
  const of = (name: string): string | undefined => (Object.hasOwn(annotations, name) ? annotations[name] : undefined);
  const id = of("id")?.trim();
  if (id !== undefined && (id.length > MAX_ID || /[\p{Cc},]/u.test(id)))
    refuse(place, `@id must be at most ${MAX_ID} characters without commas or control characters`);
  return {
    label: id === undefined || id === "" ? place : id,
    effect,
    reason: of("reason")?.slice(0, MAX_REASON) ?? null,
    advice: adviceOf(place, of("aarm_decision")),
    ...redactionOf(place, of, effect),
  };
}
