import type { JsonObject } from "@cmcp/boundary";
import { createMcpEndpoint } from "@cmcp/mcp";
import { callTool } from "../call/call.ts";
import { isListed, workflowOf } from "../call/decide.ts";
import type { Core } from "../core.ts";
import type { Caller } from "../principals.ts";
import { closeSession } from "../record/claims.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import { GATEWAY_VERSION } from "../version.ts";

/** The MCP endpoint over this core: sessions, the filtered tool list, and calls. */
export function createMcp(core: Core): (request: Request, caller: Caller) => Promise<Response> {
  return createMcpEndpoint<RecordedSession>({
    serverInfo: { name: "cmcp-gateway", version: GATEWAY_VERSION },
    sessions: {
      open: (caller) => ({ handle: core.sessions.openHandle(caller).session.handle }),
      find: (caller, handle) => core.sessions.byHandle(caller, handle),
      default: (caller, label) => core.sessions.labelled(caller, label),
      end: async (_caller, recorded) => {
        await closeSession(core, recorded);
      },
    },
    listTools: (_caller, recorded) => listTools(core, recorded),
    callTool: (_caller, recorded, call, signal) => recorded.run(signal, (bounded) => callTool(core, recorded, call, bounded)),
  });
}

interface ListedTool {
  name: string;
  description: string;
  inputSchema: JsonObject;
  outputSchema?: JsonObject;
}

/** The approved definitions of the tools this caller may use, in catalog order. */
function listTools(core: Core, recorded: RecordedSession): ListedTool[] {
  const workflowId = workflowOf({ workflowId: null });
  return [...core.catalog.tools.values()]
    .filter((tool) => isListed(core, recorded, tool, workflowId))
    .map((tool) => ({ name: tool.toolName, description: tool.description, inputSchema: tool.inputSchema, ...(tool.outputSchema === null ? {} : { outputSchema: tool.outputSchema }) }));
}
