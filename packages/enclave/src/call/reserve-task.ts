import { CmcpError } from "@cmcp/boundary";
import { declaresTasks, type ClientCapabilities } from "@cmcp/mcp";
import type { Call } from "./call.ts";
import { fail, proceed, type Step } from "./ending.ts";
import type { Permit } from "./permit.ts";
import type { TaskReservation, Tasks } from "./tasks.ts";

/**
 * A place for the task that a call may become; `null` for a call that becomes none. An agent of the modern era leaves it to
 * the server: without a place its call is a plain one. An agent of the legacy era asked for a task, so that having none is a
 * failure.
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
    return proceed(tasks.reserve(recorded.session, request));
  } catch (thrown) {
    if (!(thrown instanceof CmcpError)) throw thrown;
    return request.task === null ? proceed(null) : fail(permit, thrown);
  }
}
