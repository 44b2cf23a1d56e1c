import type { JsonObject } from "@cmcp/boundary";

/** A server's question, as the agent received it. */
export interface Question {
  readonly method: string;
  readonly params: JsonObject;
}

/** Questions that wait for answers, by id. */
export type PendingQuestions = Readonly<Record<string, Question>>;

/** Whether no question waits. */
export function hasNoQuestions(questions: PendingQuestions): boolean {
  return Object.keys(questions).length === 0;
}

/** The MCP methods of the questions. */
export function methodsOf(questions: PendingQuestions): ReadonlySet<string> {
  return new Set(Object.values(questions).map(({ method }) => method));
}

/** The questions in the form of MCP 2026-07-28, "InputRequests". The agent answers them when it repeats its request. */
export function toInputRequests(questions: PendingQuestions): JsonObject {
  return Object.fromEntries(Object.entries(questions).map(([id, { method, params }]) => [id, { method, params }]));
}
