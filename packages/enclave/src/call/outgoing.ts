import { governedMethod, type AgentRequest, type InputGiven, type UpstreamRequest } from "@cmcp/mcp";
import type { Target } from "@cmcp/catalog";
import type { Task } from "./tasks.ts";

/** What the agent gave to a request that required input, as the server is to get it. */
export type Input = InputGiven | null;

/** What goes to the server: the decided values, rebuilt by the table of methods. */
export function outgoing(request: AgentRequest, task: Task | null, subject: Target, input: Input): UpstreamRequest {
  const { method } = request;
  return {
    method,
    params: governedMethod(method).upstream({ request, taskId: task?.upstreamId ?? null, input }),
    ...(method === "tools/call" && subject.kind === "tool" ? { inputSchema: subject.tool.inputSchema } : {}),
  };
}
