import { CmcpError } from "@cmcp/boundary";
import type { Catalog } from "@cmcp/catalog";
import {
  createMcpEndpoint,
  type Caller as Authenticated,
  type HttpRequest,
  type HttpResponse,
  type ListenFilter,
  type McpPorts,
  type ListenStream,
} from "@cmcp/mcp";
import type { Admitted } from "../call/admitted.ts";
import type { Tasks } from "../call/tasks.ts";
import { Caller } from "../access/caller.ts";
import type { Listeners } from "../access/listeners.ts";
import type { StandingStreams } from "../access/standing-streams.ts";
import { GATEWAY_VERSION } from "../instance/version.ts";
import type { Closing } from "../record/closing.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import type { Sessions } from "../record/sessions.ts";
import { offeredAsTasks } from "../servers/task-support.ts";
import { list, type ListParts } from "./lists.ts";

/** What the MCP endpoint serves. */
export interface McpParts {
  readonly catalog: Pick<Catalog, "tools" | "prompts" | "resources">;
  readonly sessions: Pick<Sessions, "open" | "byHandle" | "join">;
  readonly closing: Pick<Closing, "close" | "closeEvicted">;
  readonly lists: ListParts;
  readonly taskSupport: Parameters<typeof offeredAsTasks>[0];
  readonly tasks: Pick<Tasks, "of">;
  readonly calls: Admitted;
  readonly listeners: Pick<Listeners, "add">;
  readonly standing: Pick<StandingStreams, "add">;
  /** Aborts when the gateway stops: what agents listen on ends. */
  readonly stopping: AbortSignal;
}

type Ports = McpPorts<RecordedSession>;

/** The MCP endpoint: sessions, the filtered lists, and governed requests. */
export function createMcp(parts: McpParts): (request: HttpRequest, caller: Caller) => Promise<HttpResponse> {
  return createMcpEndpoint<RecordedSession>({
    serverInfo: { name: "cmcp-gateway", version: GATEWAY_VERSION },
    capabilities: capabilitiesOf(parts.catalog),
    sessions: sessionPorts(parts),
    list: (caller, recorded, kind, cursor) => list(parts.lists, { recorded, caller: own(caller), kind, cursor }),
    stopping: parts.stopping,
    taskSupport: (tools) => offeredAsTasks(parts.taskSupport, tools),
    tasks: (recorded) => parts.tasks.of(recorded.session.id),
    perform: (caller, recorded, request, peer) => parts.calls.run({ recorded, caller: own(caller), request }, peer),
    listen: (...listening) => listen(parts, ...listening),
  });
}

function capabilitiesOf({ resources, prompts }: McpParts["catalog"]): Ports["capabilities"] {
  return {
    tools: { listChanged: true },
    ...(resources.size === 0 ? {} : { resources: { subscribe: true, listChanged: true } }),
    ...(prompts.size === 0 ? {} : { prompts: { listChanged: true } }),
    ...(prompts.size + resources.size === 0 ? {} : { completions: {} }),
    logging: {},
  };
}

function sessionPorts({ sessions, closing }: McpParts): Ports["sessions"] {
  /** A session that may be new; what it pushed out is closed. */
  const opened = async (opening: Promise<RecordedSession>): Promise<RecordedSession> => {
    const recorded = await opening;
    closing.closeEvicted();
    return recorded;
  };
  return {
    open: async (caller) => ({ handle: (await opened(sessions.open(own(caller)))).session.handle }),
    find: (caller, handle) => unlessClosing(sessions.byHandle(own(caller), handle)),
    default: (caller, label) => opened(sessions.join(own(caller), label)),
    end: async (_caller, recorded) => {
      await closing.close(recorded);
    },
  };
}

/** The endpoint hands back the caller it was given, and knows less of it. */
function own(caller: Authenticated): Caller {
  if (caller instanceof Caller) return caller;
  throw new CmcpError("INTERNAL", "the caller is not one this gateway authenticated");
}

/** A handle whose session is being closed is like one whose session is closed: its agent opens another. */
function unlessClosing(recorded: RecordedSession | undefined): RecordedSession | undefined {
  return recorded?.life.takesCalls === true ? recorded : undefined;
}

/** Adds a stream that hears of changes, until the caller's token counts no more. Each resource it follows is decided and recorded as a subscription of its own; those refused are left out. */
async function listen(
  parts: McpParts,
  ...[caller, recorded, filter, stream, signal]: Parameters<Ports["listen"]>
): Promise<ListenFilter> {
  const { standing, listeners, calls } = parts;
  standing.add(own(caller), stream.end, signal);
  const { resourceSubscriptions: uris } = filter;
  const followed = uris === null ? null : await calls.follow({ recorded, caller: own(caller), uris }, signal);
  const honoured = honouredOf(parts.catalog, filter, followed);
  listeners.add(listenerOf(recorded, honoured, stream), signal);
  return honoured;
}

function honouredOf(
  { resources, prompts }: McpParts["catalog"],
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
