import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { removeLookAlikes } from "../result/look-alike.ts";
import { elicitationQuestion } from "../shape/elicitation.ts";
import { members, type Shape } from "../shape/members.ts";
import { samplingQuestion } from "../shape/sampling.ts";

/** How what a server says before its result is to be told. */
export interface MessageTerms {
  /** True when fields are to be removed from the call's result: any text could repeat them, so none passes. */
  readonly withholdText: boolean;
}

/** Most questions of one result, and longest id of one. */
const MAX_QUESTIONS = 64;
const MAX_ID = 256;

/** The one method by which a server asks without words of its own (MCP, "Roots"); elicitation and sampling are made of them. */
const WORDLESS = "roots/list";

const QUESTIONS: Readonly<Record<string, Shape>> = {
  "elicitation/create": elicitationQuestion,
  "sampling/createMessage": samplingQuestion,
  [WORDLESS]: members({}),
};

/**
 * A server's question as it may be put to the agent, rebuilt from the shape that its method has.
 * @returns the parameters; `null` when it may not be put: a method that asks nothing, another shape, or words that are
 * withheld, without which nobody could tell what is asked
 */
export function inspectQuestion(method: string, params: JsonObject, { withholdText }: MessageTerms): JsonObject | null {
  if (withholdText && method !== WORDLESS) return null;
  const shape = Object.hasOwn(QUESTIONS, method) ? QUESTIONS[method] : undefined;
  const read = shape?.(params, "", []);
  return isJsonObject(read) ? removeLookAlikes(read, []) : null;
}

/**
 * {@link inspectQuestion} for the questions of a result that requires input (MCP 2026-07-28, "InputRequests"): all of
 * them or, with `null`, none.
 */
export function inspectInputRequests(
  requests: JsonObject,
  terms: MessageTerms,
): Record<string, { method: string; params: JsonObject }> | null {
  const asked = Object.entries(requests);
  if (asked.length > MAX_QUESTIONS) return null;
  const out: Record<string, { method: string; params: JsonObject }> = {};
  for (const [id, request] of asked) {
    const read = id === "__proto__" || id.length > MAX_ID ? null : inputRequest(request, terms);
    if (read === null) return null;
    out[id] = read;
  }
  return out;
}

function inputRequest(request: JsonValue, terms: MessageTerms): { method: string; params: JsonObject } | null {
  if (!isJsonObject(request)) return null;
  const { method, params = {} } = request;
  if (typeof method !== "string" || !isJsonObject(params)) return null;
  const question = inspectQuestion(method, params, terms);
  return question === null ? null : { method, params: question };
}
