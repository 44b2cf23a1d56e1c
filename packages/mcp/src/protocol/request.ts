import type { IdempotencyKey, JsonObject } from "@cmcp/boundary";

/** What a completion is for: a prompt by name, a resource template by its URI template. */
export type Reference =
  | { readonly type: "ref/prompt"; readonly name: string }
  | { readonly type: "ref/resource"; readonly uri: string };

/** An argument that is to be completed, and those that are known already (MCP, "Completion"). */
export interface Completion {
  readonly reference: Reference;
  readonly argument: { readonly name: string; readonly value: string };
  readonly known: Readonly<Record<string, string>>;
}

/** Answers to a server's questions, by the ids it gave them, and the state that came with the questions. */
export interface InputResponses {
  readonly responses: Readonly<Record<string, JsonObject>> | null;
  readonly state: string | null;
}

/** What a governed request says, rebuilt from the closed shape of its method. */
export interface RequestContent {
  /** A tool's or prompt's name, a resource's URI, the name or URI of a completion's reference, a task's id. */
  readonly name: string;
  /** Arguments of a tool or prompt; empty for other methods. */
  readonly arguments: JsonObject;
  readonly completion: Completion | null;
  /** Trace context of `_meta` (W3C Trace Context), the one thing of it that goes on. */
  readonly trace: JsonObject | null;
  /** What the agent names the call by, so that it runs at most once; `null` for a call without a key. It ends at the gateway. */
  readonly idempotencyKey: IdempotencyKey | null;
  /** What the agent gives to a request that required input; `null` for a first attempt. */
  readonly input: InputResponses | null;
  /** The agent of the legacy era wants the call to be a task, kept for so many milliseconds where it says so; `null` for a plain call. */
  readonly task: { readonly ttlMs: number | null } | null;
}

/** A request on its way to its server. */
export interface SentContent {
  readonly request: Omit<RequestContent, "input">;
  /** What the server calls the task that the request is about; `null` leaves the agent's id. */
  readonly taskId: string | null;
  /** What goes to the server of the agent's input. */
  readonly input: InputResponses | null;
}
