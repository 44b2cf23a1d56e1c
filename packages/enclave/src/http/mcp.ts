import type { JsonObject } from "@cmcp/boundary";
import { createMcpEndpoint, type ListKind, type ListPage } from "@cmcp/mcp";
import { callTool } from "../call/call.ts";
import { isListed, workflowOf } from "../call/decide.ts";
import type { Core } from "../core.ts";
import type { Caller } from "../principals.ts";
import { closeSession } from "../record/claims.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import { GATEWAY_VERSION } from "../version.ts";

/** The MCP endpoint over this core: sessions, the filtered lists, and governed requests. */
export function createMcp(core: Core): (request: Request, caller: Caller) => Promise<Response> {
  return createMcpEndpoint<RecordedSession>({
    serverInfo: { name: "cmcp-gateway", version: GATEWAY_VERSION },
    capabilities: { tools: { listChanged: true }, logging: {} },
    sessions: {
      open: (caller) => ({ handle: core.sessions.openHandle(caller).session.handle }),
      find: (caller, handle) => core.sessions.byHandle(caller, handle),
      default: (caller, label) => core.sessions.labelled(caller, label),
      end: async (_caller, recorded) => {
        await closeSession(core, recorded);
      },
    },
    list: (_caller, recorded, kind, cursor) => list(core, recorded, kind, cursor),
    perform: (_caller, recorded, request, peer) => recorded.run(peer.signal, (signal) => callTool(core, recorded, request, { ...peer, signal })),
    listen: async (_caller, recorded, filter, notify, signal) => {
      core.listeners.add({ recorded, filter, notify }, signal);
      return { ...filter, promptsListChanged: false, resourcesListChanged: false, resourceSubscriptions: [] };
    },
  });
}

/** One page of what this caller may use. */
function list(core: Core, recorded: RecordedSession, kind: ListKind, _cursor: string | null): ListPage {
  return { items: kind === "tools" ? listTools(core, recorded) : [], nextCursor: null };
}

/** The approved definitions of the tools this caller may use, in catalog order. */
function listTools(core: Core, recorded: RecordedSession): JsonObject[] {
  const workflowId = workflowOf({ workflowId: null });
  return [...core.catalog.tools.values()]
    .filter((tool) => isListed(core, recorded, tool, workflowId))
    .map((tool) => ({ name: tool.toolName, description: tool.description, inputSchema: tool.inputSchema, ...(tool.outputSchema === null ? {} : { outputSchema: tool.outputSchema }) }));
}
