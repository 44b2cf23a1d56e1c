import type { JsonObject } from "@cmcp/boundary";

/** A server's question as it was put to the agent. */
export interface Question {
  readonly method: string;
  readonly params: JsonObject;
}

/** The questions that wait for answers, by the ids under which they were put. */
export type AskedQuestions = Readonly<Record<string, Question>>;

/** Whether any question waits. */
export function asksNothing(asked: AskedQuestions): boolean {
  return Object.keys(asked).length === 0;
}

/** The methods by which a server asks. */
export function methodsOf(asked: AskedQuestions): ReadonlySet<string> {
  return new Set(Object.values(asked).map(({ method }) => method));
}

/** The questions as an agent is given them that sends its request again (MCP 2026-07-28, "InputRequests"). */
export function asRequests(asked: AskedQuestions): JsonObject {
  return Object.fromEntries(Object.entries(asked).map(([id, { method, params }]) => [id, { method, params }]));
}
