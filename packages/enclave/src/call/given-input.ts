import { CmcpError, type ErrorCode } from "@cmcp/boundary";
import { CLIENT_METHODS, governedMethod, type AgentRequest } from "@cmcp/mcp";
import type { Core } from "../boot/core.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import type { Input } from "./outgoing.ts";
import type { Questions } from "./questions.ts";
import type { StateContext, WaitingState } from "./request-state.ts";
import type { Task } from "./tasks.ts";

/** What the agent gave, as its server is to get it, or why it does not go there. */
export type GivenInput =
  | { readonly input: Input; readonly refusal: null }
  | {
      readonly input: null;
      readonly refusal: { readonly rule: string; readonly code: ErrorCode; readonly message: string };
    };

const NOTHING: GivenInput = { input: null, refusal: null };

/** What a request's state is bound to. */
export function stateContext(recorded: RecordedSession, request: AgentRequest): StateContext {
  return {
    principal: recorded.session.principalId,
    session: recorded.session.id,
    method: request.method,
    // Without the trace, which names each attempt.
    params: governedMethod(request.method).upstream({
      request: { ...request, trace: null },
      taskId: null,
      input: null,
    }),
  };
}

/** Opens what the agent sends with a request that required input, and has its answers decided by what they were asked for by. */
export function givenInput(
  core: Core,
  recorded: RecordedSession,
  request: AgentRequest,
  task: Task | null,
  questions: Questions,
): GivenInput {
  if (request.input === null) return NOTHING;
  const { responses, state } = request.input;
  let waited: WaitingState | null;
  try {
    waited = state === null ? null : core.requestStates.open(stateContext(recorded, request), state);
  } catch (thrown) {
    if (!(thrown instanceof CmcpError)) throw thrown;
    return { input: null, refusal: { rule: "request-state", code: thrown.code, message: thrown.message } };
  }
  // Answers without a state could be to anything that a server can ask. A task's come without: what it asked is kept with it.
  const stopped =
    responses === null ? null : questions.refusalOfAnswers(task?.asked ?? waited?.asked ?? Object.keys(CLIENT_METHODS));
  if (stopped !== null)
    return { input: null, refusal: { ...stopped, message: "policy does not let the server have these answers" } };
  return { input: { responses, state: waited?.upstream ?? null }, refusal: null };
}
