import { CmcpError } from "@cmcp/boundary";
import {
  createMcpEndpoint,
  type AgentRequest,
  type Caller as Handed,
  type HttpRequest,
  type HttpResponse,
  type ListenFilter,
  type Peer,
  type RpcBody,
  type StandingStream,
  silentPeer,
} from "@cmcp/mcp";
import { perform } from "../call/call.ts";
import { approvedOf } from "@cmcp/catalog";
import { findSubject } from "../call/subject.ts";
import { Caller } from "../access/caller.ts";
import type { Core } from "../boot/core.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import { GATEWAY_VERSION } from "../instance/version.ts";
import { offeredAsTasks } from "../servers/task-support.ts";
import { list } from "./lists.ts";

/** The MCP endpoint over this core: sessions, the filtered lists, and governed requests. */
export function createMcp(core: Core): (request: HttpRequest, caller: Caller) => Promise<HttpResponse> {
  return createMcpEndpoint<RecordedSession>({
    serverInfo: { name: "cmcp-gateway", version: GATEWAY_VERSION },
    capabilities: {
      tools: { listChanged: true },
      ...(core.catalog.resources.size === 0 ? {} : { resources: { subscribe: true, listChanged: true } }),
      ...(core.catalog.prompts.size === 0 ? {} : { prompts: { listChanged: true } }),
      ...(core.catalog.prompts.size + core.catalog.resources.size === 0 ? {} : { completions: {} }),
      logging: {},
    },
    sessions: {
      open: async (caller) => ({ handle: (await opened(core, core.sessions.open(own(caller)))).session.handle }),
      find: (caller, handle) => unlessClosing(core.sessions.byHandle(own(caller), handle)),
      default: (caller, label) => opened(core, core.sessions.join(own(caller), label)),
      end: async (_caller, recorded) => {
        await core.closing.close(recorded);
      },
    },
    list: (caller, recorded, kind, cursor) => list(core, recorded, own(caller), kind, cursor),
    stopping: core.stopping.signal,
    taskSupport: (tools) => offeredAsTasks(core, tools),
    tasks: (recorded) => core.tasks.of(recorded.session.id),
    perform: (caller, recorded, request, peer) => admitted(core, recorded, own(caller), request, peer),
    listen: (caller, recorded, filter, stream, signal) => listen(core, recorded, own(caller), filter, stream, signal),
  });
}

/** The endpoint hands back the caller it was given, and knows less of it. */
function own(caller: Handed): Caller {
  if (caller instanceof Caller) return caller;
  throw new CmcpError("INTERNAL", "the caller is not one this gateway authenticated");
}

/** A handle whose session is being closed is like one whose session is closed: its agent opens another. */
function unlessClosing(recorded: RecordedSession | undefined): RecordedSession | undefined {
  return recorded?.life.takesCalls === true ? recorded : undefined;
}

/** A session that may be new; what it pushed out is closed. */
async function opened(core: Core, opening: Promise<RecordedSession>): Promise<RecordedSession> {
  const recorded = await opening;
  core.closing.closeEvicted();
  return recorded;
}

async function admitted(
  core: Core,
  recorded: RecordedSession,
  caller: Caller,
  request: AgentRequest,
  peer: Peer,
): Promise<RpcBody> {
  if (request.method === "resources/unsubscribe") return unsubscribe(core, recorded, request, peer);
  return await core.admission.run(recorded.session.principalId, peer.signal, (aside) =>
    recorded.run(peer.signal, (signal) =>
      perform(core, recorded, caller, request, {
        ...peer,
        signal,
        ask: (method, params, until) => aside(() => peer.ask(method, params, until)),
      }),
    ),
  );
}

/** Giving up needs nobody's leave. What is not followed is given up already. */
function unsubscribe(core: Core, recorded: RecordedSession, request: AgentRequest, peer: Peer): RpcBody {
  const subject = findSubject(core.catalog, request);
  if (subject !== undefined) core.subscriptions.remove(recorded.session, approvedOf(subject).server, request.name);
  return peer.present({ kind: "result", result: {} });
}

/** Adds a stream that hears of changes, until the caller's token counts no more. Each resource it follows is decided and recorded as a subscription of its own; those refused are left out. */
async function listen(
  core: Core,
  recorded: RecordedSession,
  caller: Caller,
  filter: ListenFilter,
  { notify, end }: StandingStream,
  signal: AbortSignal,
): Promise<ListenFilter> {
  core.standing.add(caller, end, signal);
  const { resources, prompts } = core.catalog;
  const followed: string[] = [];
  for (const uri of filter.resourceSubscriptions ?? []) {
    const request: AgentRequest = {
      method: "resources/subscribe",
      name: uri,
      arguments: {},
      completion: null,
      trace: null,
      workflowId: null,
      dataClass: null,
      requestId: 0,
      input: null,
      task: null,
    };
    const body = await admitted(core, recorded, caller, request, silentPeer(signal));
    if ("error" in body) continue;
    const subject = findSubject(core.catalog, request);
    if (subject === undefined) continue;
    core.subscriptions.handOver(recorded.session, { server: approvedOf(subject).server, uri }, signal);
    followed.push(uri);
  }
  const honoured = {
    toolsListChanged: filter.toolsListChanged,
    promptsListChanged: filter.promptsListChanged && prompts.size > 0,
    resourcesListChanged: filter.resourcesListChanged && resources.size > 0,
    resourceSubscriptions: filter.resourceSubscriptions === null ? null : followed,
  };
  core.listeners.add({ session: recorded.session, filter: honoured, notify }, signal);
  return honoured;
}
