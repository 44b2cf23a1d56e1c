import type { JsonObject } from "@cmcp/boundary";

/** What an answer depends on of the request that it answers. */
export interface RequestSubject {
  readonly method: string;
  /** Whether a tool call asks to become a task. */
  readonly asTask: boolean;
}

/** @param params as the agent sent them, whatever they are worth */
export function subjectOf(method: string, params: JsonObject): RequestSubject {
  return { method, asTask: params.task !== undefined };
}
