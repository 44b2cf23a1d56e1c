import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { inspectQuestionAnswer } from "@cmcp/inspection";
import type { AgentRequest } from "@cmcp/mcp";
import type { PendingQuestions } from "./pending-questions.ts";
import type { Call } from "./call.ts";
import { proceed, refuse, type Answers, type Refusal, type Step } from "./ending.ts";
import type { Permit } from "./permit.ts";
import type { QuestionDecider } from "./decide-questions.ts";
import { stateContext, type RequestStates, type WaitingState } from "./request-state.ts";

/** The agent's answers to a request that required input, as the server gets them; `null` for a first attempt. */
export type Input = {
  readonly responses: Readonly<Record<string, JsonObject>> | null;
  readonly state: string | null;
} | null;

/** Input of a repeated request, with each answer beside its question. */
export type ResumedInput = NonNullable<Input> & { readonly answers: Answers };

type RequestInput = NonNullable<AgentRequest["input"]>;

/**
 * Opens the `requestState` and the answers of a repeated request. Only answers to open questions are sent, in the shape that the question
 * asked for, and only if policy still allows the questions. An answer under an unknown id is dropped, so that the server asks again (MCP
 * 2026-07-28, "Multi Round-Trip Requests").
 */
export function resumeInput(
  call: Call,
  { target }: Pick<Permit, "target">,
  states: Pick<RequestStates, "open">,
  decider: Pick<QuestionDecider, "refusalOfAnswers">,
): Step<ResumedInput | null> {
  const { input } = call.request;
  if (input === null) return proceed(null);
  const waiting = waitingStateOf(call, input, states);
  if ("rule" in waiting) return refuse(target, waiting);
  const { serverState: state, questions } = waiting;
  const responses = input.responses === null ? null : rebuild(input.responses, questions);
  if (responses === "malformed") return refuse(target, UNREQUESTED_INPUT);
  const answered = Object.keys(responses ?? {}).length > 0;
  // `tasks/update` carries nothing but answers.
  if (call.task !== null && !answered) return refuse(target, UNREQUESTED_INPUT);
  if (!answered) return proceed(input.state === null ? null : { responses, state, answers: {} });
  const answers = answersTo(questions, responses ?? {});
  const refusal = decider.refusalOfAnswers(Object.values(answers).map(({ method, answer }) => ({ method, answer })));
  return refusal === null ? proceed({ responses, state, answers }) : refuse(target, refusal);
}

const UNREQUESTED_INPUT: Refusal = {
  rule: "input-not-requested",
  code: "INPUT_NOT_REQUESTED",
  message: "an answer belongs to no open question, or does not have the form that the question asks for",
};

/** The open questions: those of the task, or those in the `requestState`. */
function waitingStateOf(
  call: Call,
  { state }: RequestInput,
  states: Pick<RequestStates, "open">,
): WaitingState | Refusal {
  if (call.task !== null) return { serverState: null, questions: call.task.questions };
  if (state === null) return { serverState: null, questions: {} };
  try {
    return states.open(stateContext(call), state);
  } catch (thrown) {
    if (!(thrown instanceof CmcpError)) throw thrown;
    return { rule: "request-state", code: thrown.code, message: thrown.message };
  }
}

/** The answers, rebuilt from the shapes of their questions; `malformed` if one has another form. */
function rebuild(
  responses: Readonly<Record<string, JsonObject>>,
  questions: PendingQuestions,
): Record<string, JsonObject> | "malformed" {
  const rebuilt: [string, JsonObject][] = [];
  for (const [id, answer] of Object.entries(responses)) {
    const question = Object.hasOwn(questions, id) ? questions[id] : undefined;
    if (question === undefined) continue;
    const checked = inspectQuestionAnswer(question.method, question.params, answer);
    if (!checked.ok) return "malformed";
    rebuilt.push([id, checked.value]);
  }
  return Object.fromEntries(rebuilt);
}

/** Each question that is answered, with its answer. */
function answersTo(questions: PendingQuestions, responses: Readonly<Record<string, JsonObject>>): Answers {
  return Object.fromEntries(
    Object.entries(questions).flatMap(([id, { method, params }]) => {
      const answer = Object.hasOwn(responses, id) ? responses[id] : undefined;
      return answer === undefined ? [] : [[id, { method, params, answer }] as const];
    }),
  );
}
