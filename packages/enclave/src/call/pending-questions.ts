import type { JsonObject } from "@cmcp/boundary";

/** A server's question as it was put to the agent. */
export interface Question {
  readonly method: string;
  readonly params: JsonObject;
}

/** The questions that wait for answers, by the ids under which they were put. */
export type PendingQuestions = Readonly<Record<string, Question>>;

/** Whether any question waits. */
export function hasNoQuestions(questions: PendingQuestions): boolean {
  return Object.keys(questions).length === 0;
}

/** The methods by which a server asks. */
export function methodsOf(questions: PendingQuestions): ReadonlySet<string> {
  return new Set(Object.values(questions).map(({ method }) => method));
}

/** The questions as an agent is given them that sends its request again (MCP 2026-07-28, "InputRequests"). */
export function toInputRequests(questions: PendingQuestions): JsonObject {
  return Object.fromEntries(Object.entries(questions).map(([id, { method, params }]) => [id, { method, params }]));
}
