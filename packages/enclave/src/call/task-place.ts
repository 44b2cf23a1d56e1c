import { CmcpError } from "@cmcp/boundary";
import { declaresTasks, type AgentRequest, type Peer } from "@cmcp/mcp";
import type { Core } from "../boot/core.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import type { TaskPlace } from "./tasks.ts";

/** A call's place for a task, `null` for none, or why it has none though it asked. */
export type Place = TaskPlace | CmcpError | null;

/** Runs a call with a place for the task that it may become, and takes the place back when it became none. */
export async function withPlace<T>(
  core: Core,
  recorded: RecordedSession,
  request: AgentRequest,
  peer: Peer,
  work: (place: Place) => Promise<T>,
): Promise<T> {
  const place = reserve(core, recorded, request, peer);
  try {
    return await work(place);
  } finally {
    if (place !== null && !(place instanceof CmcpError)) place.free();
  }
}

/**
 * A place for the task that a call may become; `null` for a call that becomes none. An agent of the modern era leaves it to
 * the server: without a place its call is a plain one. An agent of the legacy era asked for a task, so that for it having
 * none is an error, which is given back to be told in its turn.
 */
function reserve(core: Core, recorded: RecordedSession, request: AgentRequest, peer: Peer): Place {
  if (request.method !== "tools/call" || (request.task === null && !declaresTasks(peer.capabilities))) return null;
  try {
    return core.tasks.reserve(recorded.session.id, request);
  } catch (thrown) {
    if (!(thrown instanceof CmcpError)) throw thrown;
    return request.task === null ? null : thrown;
  }
}
