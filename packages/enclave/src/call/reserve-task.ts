import { CmcpError } from "@cmcp/boundary";
import { declaresTasks, type ClientCapabilities } from "@cmcp/mcp";
import type { Call } from "./call.ts";
import { fail, proceed, type Step } from "./ending.ts";
import type { Permit } from "./permit.ts";
import type { TaskReservation, Tasks } from "./tasks.ts";

/**
 * Reserves room for the task that a call may become; `null` for a plain call. In MCP 2026-07-28 the server chooses, so without room the
 * call is a plain one. In MCP 2025-11-25 the agent asked for a task, so without room the call fails.
 */
export function reserveTask(
  call: Call,
  permit: Permit,
  capabilities: ClientCapabilities,
  tasks: Pick<Tasks, "reserve">,
): Step<TaskReservation | null> {
  const { request, recorded } = call;
  if (request.method !== "tools/call" || (request.task === null && !declaresTasks(capabilities))) return proceed(null);
  try {
    return proceed(tasks.reserve(recorded.session, request, permit.approval));
  } catch (thrown) {
    if (!(thrown instanceof CmcpError)) throw thrown;
    return request.task === null ? proceed(null) : fail(permit, thrown);
  }
}
