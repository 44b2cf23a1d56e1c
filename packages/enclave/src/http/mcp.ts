import { CmcpError } from "@cmcp/boundary";
import {
  createMcpEndpoint,
  type Caller as AuthenticatedCaller,
  type HttpRequest,
  type HttpResponse,
  type ListenFilter,
  type McpPorts,
  type ListenStream,
} from "@cmcp/mcp";
import type { CallRunner } from "../call/call-runner.ts";
import type { Rules } from "../call/rules.ts";
import type { Tasks } from "../call/tasks.ts";
import { Caller } from "../access/caller.ts";
import type { Listeners } from "../access/listeners.ts";
import type { TokenBoundStreams } from "../access/token-bound-streams.ts";
import { GATEWAY_VERSION } from "../instance/version.ts";
import type { SessionCloser } from "../record/session-closer.ts";
import type { Session } from "@cmcp/session";
import type { RecordedSession } from "../record/recorded-session.ts";
import type { Sessions } from "../record/sessions.ts";
import { listTaskSupport } from "../servers/task-support.ts";
import type { Lists } from "./lists.ts";

/** What the MCP endpoint needs. */
export interface McpEndpointPorts {
  readonly rules: () => Rules;
  readonly sessions: Pick<Sessions, "open" | "byHandle" | "openOrJoin" | "currentOf">;
  readonly closing: Pick<SessionCloser, "close" | "closeEvicted">;
  readonly lists: Pick<Lists, "page">;
  readonly taskSupport: () => Parameters<typeof listTaskSupport>[0];
  readonly tasks: Pick<Tasks, "list">;
  readonly calls: CallRunner;
  readonly listeners: Pick<Listeners, "add">;
  readonly tokenBound: Pick<TokenBoundStreams, "add">;
  /** Aborts when the gateway stops, and ends the streams that agents listen on. */
  readonly stopping: AbortSignal;
}

type Ports = McpPorts<Session>;
type ListenArguments =
  Parameters<Ports["listen"]> extends [infer Agent, unknown, ...infer Rest] ? [Agent, ...Rest] : never;

/** The MCP endpoint: sessions, filtered lists and calls. */
export function createMcp(parts: McpEndpointPorts): (request: HttpRequest, caller: Caller) => Promise<HttpResponse> {
  // What the protocol keeps for a session outlives its chain: another one goes on when that is full.
  const recordedOf = (session: Session): RecordedSession => {
    const recorded = parts.sessions.currentOf(session);
    if (recorded === undefined) throw new CmcpError("SESSION_CLOSED", "the session is closed");
    return recorded;
  };
  return createMcpEndpoint<Session>({
    serverInfo: { name: "cmcp-gateway", version: GATEWAY_VERSION },
    get capabilities() {
      return capabilitiesOf(parts.rules().catalog);
    },
    sessions: sessionPorts(parts),
    list: (caller, session, kind, cursor) =>
      parts.lists.page({ recorded: recordedOf(session), caller: requireCaller(caller), kind, cursor }),
    stopping: parts.stopping,
    taskSupport: (tools) => listTaskSupport(parts.taskSupport(), tools),
    tasks: (session) => parts.tasks.list(session.id),
    perform: async (caller, session, request, peer) =>
      await parts.calls.run({ recorded: recordedOf(session), caller: requireCaller(caller), request }, peer),
    listen: async (caller, session, ...listening) => await listen(parts, recordedOf(session), caller, ...listening),
  });
}

function capabilitiesOf({ resources, prompts }: Rules["catalog"]): Ports["capabilities"] {
  return {
    tools: { listChanged: true },
    ...(resources.size === 0 ? {} : { resources: { subscribe: true, listChanged: true } }),
    ...(prompts.size === 0 ? {} : { prompts: { listChanged: true } }),
    ...(prompts.size + resources.size === 0 ? {} : { completions: {} }),
    logging: {},
  };
}

function sessionPorts({ sessions, closing }: McpEndpointPorts): Ports["sessions"] {
  /** Opens a session and closes those that it evicted. */
  const opened = async (opening: Promise<RecordedSession>): Promise<RecordedSession> => {
    const recorded = await opening;
    closing.closeEvicted();
    return recorded;
  };
  return {
    open: async (caller) => ({ handle: (await opened(sessions.open(requireCaller(caller)))).session.handle }),
    find: (caller, handle) => {
      const { endpoint } = requireCaller(caller);
      const session = unlessClosing(sessions.byHandle(requireCaller(caller), handle))?.session;
      // A session is used at the endpoint where it was opened.
      return session?.endpoint === endpoint ? session : undefined;
    },
    default: async (caller, label) => (await opened(sessions.openOrJoin(requireCaller(caller), label))).session,
    end: async (_caller, session) => {
      const recorded = sessions.currentOf(session);
      if (recorded !== undefined) await closing.close(recorded);
    },
  };
}

/** The caller as the router authenticated it. The MCP endpoint passes it through as an opaque value. */
function requireCaller(caller: AuthenticatedCaller): Caller {
  if (caller instanceof Caller) return caller;
  throw new CmcpError("INTERNAL", "the caller was not authenticated by this gateway");
}

/** Hides a session that is closing. Its agent opens another one. */
function unlessClosing(recorded: RecordedSession | undefined): RecordedSession | undefined {
  return recorded?.lifecycle.takesCalls === true ? recorded : undefined;
}

/**
 * Opens a stream for change notifications. It ends when the caller's token expires. Each resource is decided and
 * recorded as a subscription; refused ones are omitted.
 */
async function listen(
  parts: McpEndpointPorts,
  recorded: RecordedSession,
  ...[caller, filter, stream, signal]: ListenArguments
): Promise<ListenFilter> {
  const { tokenBound, listeners, calls } = parts;
  tokenBound.add(requireCaller(caller), stream.end, signal);
  const { resourceSubscriptions: uris } = filter;
  const followed =
    uris === null ? null : await calls.subscribe({ recorded, caller: requireCaller(caller), uris }, signal);
  const honoured = acceptedFilter(parts.rules().catalog, filter, followed);
  listeners.add(listenerOf(recorded, honoured, stream), signal);
  return honoured;
}

function acceptedFilter(
  { resources, prompts }: Rules["catalog"],
  filter: ListenFilter,
  followed: readonly string[] | null,
): ListenFilter {
  return {
    toolsListChanged: filter.toolsListChanged,
    promptsListChanged: filter.promptsListChanged && prompts.size > 0,
    resourcesListChanged: filter.resourcesListChanged && resources.size > 0,
    resourceSubscriptions: followed,
  };
}

function listenerOf(
  { session }: RecordedSession,
  filter: ListenFilter,
  { notify }: ListenStream,
): Parameters<Listeners["add"]>[0] {
  return { session, filter, notify };
}
