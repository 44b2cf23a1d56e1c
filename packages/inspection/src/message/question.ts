import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import { removeLookAlikes } from "../result/look-alike.ts";

/** How what a server says before its result is to be told. */
export interface SayingTerms {
  /** True when fields are to be removed from the call's result: any text could repeat them, so none passes. */
  readonly withholdText: boolean;
}

/** The one method by which a server asks without words of its own (MCP, "Roots"); elicitation and sampling are made of them. */
const WORDLESS = "roots/list";

/**
 * A server's question as it may be put to the agent, without what poses as the gateway's.
 * @returns the parameters; `null` when it may not be put, as without its words nobody could tell what is asked
 */
export function inspectQuestion(method: string, params: JsonObject, { withholdText }: SayingTerms): JsonObject | null {
  if (!withholdText) return removeLookAlikes(params, []);
  return method === WORDLESS ? {} : null;
}

/** {@link inspectQuestion} for the questions of a result that requires input (MCP 2026-07-28, "InputRequests"): all of them or, with `null`, none. */
export function inspectInputRequests(requests: JsonObject, { withholdText }: SayingTerms): JsonObject | null {
  if (!withholdText) return removeLookAlikes(requests, []);
  const asked = Object.entries(requests);
  return asked.every(([, request]) => isJsonObject(request) && request.method === WORDLESS)
    ? Object.fromEntries(asked.map(([id]) => [id, { method: WORDLESS }]))
    : null;
}
