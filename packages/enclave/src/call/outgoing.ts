import type { JsonObject } from "@cmcp/boundary";
import { removeLookAlikes } from "@cmcp/inspection";
import type { AgentRequest, UpstreamRequest } from "@cmcp/mcp";
import type { Target } from "@cmcp/catalog";
import type { Task } from "./tasks.ts";

/** What the agent gave to a request that required input, as the server is to get it. */
export type Input = { readonly responses: JsonObject | null; readonly state: string | null } | null;

/** What goes to the server: the decided values, and what of the request's `_meta` is for it without what poses as the gateway's. */
export function outgoing(request: AgentRequest, task: Task | null, subject: Target, input: Input): UpstreamRequest {
  const sent = decidedParams(request, task, subject, input);
  return request.meta === null
    ? sent
    : { ...sent, params: { ...sent.params, ...removeLookAlikes({ _meta: request.meta }, []) } };
}

function decidedParams(
  { method, name, arguments: args, params, task: wish }: AgentRequest,
  task: Task | null,
  subject: Target,
  input: Input,
): UpstreamRequest {
  const given = inputParams(input);
  switch (method) {
    case "tools/call":
      return {
        method,
        params: {
          name,
          arguments: args,
          ...given,
          ...(wish === null ? {} : { task: wish.ttlMs === null ? {} : { ttl: wish.ttlMs } }),
        },
        ...(subject.kind === "tool" ? { inputSchema: subject.tool.inputSchema } : {}),
      };
    case "prompts/get":
      return { method, params: { name, arguments: args, ...given } };
    case "completion/complete":
      return { method, params };
    case "resources/read":
    case "resources/subscribe":
    case "resources/unsubscribe":
      return { method, params: { uri: name, ...given } };
    case "tasks/get":
    case "tasks/result":
    case "tasks/update":
    case "tasks/cancel":
      return { method, params: { taskId: task?.upstreamId ?? "", ...given } };
  }
}

function inputParams(input: Input): JsonObject {
  return {
    ...(input?.responses == null ? {} : { inputResponses: input.responses }),
    ...(input?.state == null ? {} : { requestState: input.state }),
  };
}
