import { canonicalText, CmcpError, isJsonObject, parseJsonText } from "@cmcp/boundary";
import type { AgentRequest } from "@cmcp/mcp";
import type { Call } from "./call.ts";
import { stateContext, type RequestStates } from "./request-state.ts";

/** A request as it is decided, and the approval whose URL its agent was sent to before; `null` if it was sent to none. */
export interface ArrivedRequest {
  readonly request: AgentRequest;
  readonly askedFor: string | null;
}

/** Where states of requests that wait for approvals are sealed and opened. */
export type ApprovalStates = Pick<RequestStates, "seal" | "open">;

/**
 * The state that an agent gets with the URL of an approval. It has what the request answers to its server, as the agent's next request has
 * another answer in that place. `null` where that is too long for a state.
 * @param id the approval's
 */
export function sealApprovalState(
  call: Pick<Call, "recorded" | "request">,
  id: string,
  states: ApprovalStates,
): string | null {
  const { input } = call.request;
  const answered = input === null ? null : [input.responses === null ? null : { ...input.responses }, input.state];
  try {
    return states.seal(stateContext(call), { serverState: canonicalText([id, answered]), questions: {} });
  } catch (thrown) {
    if (thrown instanceof CmcpError && thrown.code === "RESPONSE_SIZE_EXCEEDED") return null;
    throw thrown;
  }
}

/**
 * A repeated request as it was when it began to wait: what it says to that is nobody's answer. The state opens once, and any other is left to
 * `resumeInput`.
 */
export function openApprovalState(
  { recorded, request }: Pick<Call, "recorded" | "request">,
  states: ApprovalStates,
): ArrivedRequest {
  const state = request.input?.state ?? null;
  if (state === null) return { request, askedFor: null };
  try {
    const { serverState } = states.open(stateContext({ recorded, request }), state);
    const { id, input } = carried(serverState ?? "null");
    return { request: { ...request, input }, askedFor: id };
  } catch (thrown) {
    if (thrown instanceof CmcpError && thrown.code === "REQUEST_STATE_INVALID") return { request, askedFor: null };
    throw thrown;
  }
}

/** Reads what {@link sealApprovalState} wrote. */
function carried(text: string): { readonly id: string; readonly input: AgentRequest["input"] } {
  const read = parseJsonText(text);
  const [id = null, answered = null] = Array.isArray(read) ? read : [];
  const [responses = null, state = null] = Array.isArray(answered) ? answered : [];
  const isAnswer = typeof state === "string" && (responses === null || isJsonObject(responses));
  if (typeof id !== "string" || (answered !== null && !isAnswer))
    throw new CmcpError("INTERNAL", "a state that waits for an approval carries something else");
  if (!isAnswer) return { id, input: null };
  const answers = Object.entries(responses ?? {}).flatMap(([question, answer]) =>
    isJsonObject(answer) ? [[question, answer] as const] : [],
  );
  return { id, input: { responses: responses === null ? null : Object.fromEntries(answers), state } };
}
