import type { JsonObject } from "@cmcp/boundary";

/** What an answer depends on of the request that it answers. */
export interface RequestKind {
  readonly method: string;
  /** Whether a tool call asks to become a task. */
  readonly asTask: boolean;
}

/** @param params as the agent sent them, whatever they are worth */
export function requestKind(method: string, params: JsonObject): RequestKind {
  return { method, asTask: params.task !== undefined };
}
