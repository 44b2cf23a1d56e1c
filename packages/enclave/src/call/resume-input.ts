import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { inspectQuestionAnswer } from "@cmcp/inspection";
import type { AgentRequest } from "@cmcp/mcp";
import { asksNothing, methodsOf, type AskedQuestions } from "./asked.ts";
import type { Call } from "./call.ts";
import { next, refused, type Refusal, type Step } from "./ending.ts";
import type { Permit } from "./permit.ts";
import type { Questions } from "./questions.ts";
import { stateContext, type RequestStates, type WaitingState } from "./request-state.ts";

/** What the agent gives to a request that required input, as its server gets it; `null` for a first attempt. */
export type Input = {
  readonly responses: Readonly<Record<string, JsonObject>> | null;
  readonly state: string | null;
} | null;

type Given = NonNullable<AgentRequest["input"]>;

/**
 * Opens what the agent sends with a request that required input. Answers go to the server only under the ids and in the shapes
 * that were asked for, and only while policy lets the server ask.
 */
export function resumeInput(
  call: Call,
  { target }: Permit,
  states: Pick<RequestStates, "open">,
  questions: Pick<Questions, "refusalOfAnswers">,
): Step<Input> {
  const { input } = call.request;
  if (input === null) return next(null);
  const waiting = waitingOf(call, input, states);
  if ("rule" in waiting) return refused(target, waiting);
  if (input.responses === null) return next({ responses: null, state: waiting.upstream });
  const responses = rebuild(input.responses, waiting.asked);
  if (responses === null) return refused(target, NOT_ASKED);
  const stopped = questions.refusalOfAnswers(methodsOf(selected(waiting.asked, responses)));
  if (stopped !== null) return refused(target, stopped);
  return next({ responses, state: waiting.upstream });
}

const NOT_ASKED: Refusal = {
  rule: "input-not-requested",
  code: "INPUT_NOT_REQUESTED",
  message: "an answer is to no open question, or has not the form that was asked for",
};

/** What the request waited with. A task's questions are kept with the task; any other's come back in the state. */
function waitingOf(
  call: Call,
  { responses, state }: Given,
  states: Pick<RequestStates, "open">,
): WaitingState | Refusal {
  const { task } = call;
  if (task !== null) return asksNothing(task.asked) ? NOT_ASKED : { upstream: null, asked: task.asked };
  if (state === null) return responses === null ? { upstream: null, asked: {} } : NOT_ASKED;
  try {
    return states.open(stateContext(call), state);
  } catch (thrown) {
    if (!(thrown instanceof CmcpError)) throw thrown;
    return { rule: "request-state", code: thrown.code, message: thrown.message };
  }
}

/** The answers, rebuilt from what was asked; `null` where one is to no question or has another form. */
function rebuild(
  responses: Readonly<Record<string, JsonObject>>,
  asked: AskedQuestions,
): Record<string, JsonObject> | null {
  const rebuilt: [string, JsonObject][] = [];
  for (const [id, answer] of Object.entries(responses)) {
    const question = Object.hasOwn(asked, id) ? asked[id] : undefined;
    if (question === undefined) return null;
    const checked = inspectQuestionAnswer(question.method, question.params, answer);
    if (!checked.ok) return null;
    rebuilt.push([id, checked.value]);
  }
  return Object.fromEntries(rebuilt);
}

function selected(asked: AskedQuestions, responses: Readonly<Record<string, JsonObject>>): AskedQuestions {
  return Object.fromEntries(Object.entries(asked).filter(([id]) => Object.hasOwn(responses, id)));
}
