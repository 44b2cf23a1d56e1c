import type { ErrorCode, JsonObject, JsonValue } from "@cmcp/boundary";
import type { RequestId } from "../jsonrpc/message.ts";
import type { Peer } from "../peer.ts";
import type { TaskState } from "../tasks/state.ts";

/** Who sent the request, as the gateway authenticated it. */
export interface Caller {
  readonly principalId: string;
}

/** A tool as an agent is shown it: the approved definition, never the server's live one. */
export interface ToolDefinition {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: JsonObject;
  readonly outputSchema?: JsonObject;
}

/** Methods that reach a server and are decided one by one. */
export const GOVERNED_METHODS = [
  "tools/call",
  "resources/read",
  "prompts/get",
  "completion/complete",
  "resources/subscribe",
  "resources/unsubscribe",
  "tasks/get",
  "tasks/result",
  "tasks/update",
  "tasks/cancel",
] as const;
export type GovernedMethod = (typeof GOVERNED_METHODS)[number];

/** Methods about a task, which has an id where other requests have a name. */
export const TASK_METHODS = ["tasks/get", "tasks/result", "tasks/update", "tasks/cancel"] as const;
export type TaskMethod = (typeof TASK_METHODS)[number];

/** True for the methods about a task. */
export function isTaskMethod(method: string): method is TaskMethod {
  return TASK_METHODS.some((known) => known === method);
}

/** One governed request, parsed and stripped of what is meant for the gateway. */
export interface AgentRequest {
  readonly method: GovernedMethod;
  /** What it is about: a tool's or prompt's name, a resource's URI, for a completion the name or URI of its reference, a task's id. */
  readonly name: string;
  /** Arguments of a tool or prompt; empty for other methods. */
  readonly arguments: JsonObject;
  /** Everything that goes on to the server, `name` and `arguments` among it, without `_meta`. */
  readonly params: JsonObject;
  /** `params._meta` without what speaks of the request itself; `null` when nothing is left. */
  readonly meta: JsonObject | null;
  /** From `params._cmcp.workflow_id` or `X-MCP-Workflow-ID`: a wish, to be held against the principal's set. */
  readonly workflowId: string | null;
  readonly dataClass: string | null;
  readonly requestId: RequestId;
  /** What the agent gives to a request that required input, with the state it was given for it; `null` for a first attempt. */
  readonly input: { readonly responses: JsonObject | null; readonly state: string | null } | null;
  /** The agent of the legacy era wants the call to be a task, kept for so many milliseconds where it says so; `null` for a plain call. */
  readonly task: { readonly ttlMs: number | null } | null;
}

/**
 * How a request ended. `data` of a refusal travels to the agent as `error.data`, next to its `error_code`;
 * neither it nor `message` may name the policy rule. `rpc` is a server's own refusal, to be passed on as it is.
 */
export type Reply =
  | { readonly ok: true; readonly result: JsonObject }
  | {
      readonly ok: "input";
      readonly inputRequests: JsonObject | null;
      readonly requestState: string;
      readonly meta?: JsonObject;
    }
  | { readonly ok: "task"; readonly task: TaskState; readonly outcome: TaskOutcome; readonly meta?: JsonObject }
  | {
      readonly ok: false;
      readonly code: ErrorCode;
      readonly message: string;
      readonly data: JsonObject;
      readonly rpc?: { readonly code: number; readonly message: string; readonly data?: JsonValue };
    };

/** What beside its state is told of a task in the modern era: how it ended, or what it needs; empty while there is nothing to tell. */
export interface TaskOutcome {
  readonly result?: JsonObject;
  readonly error?: JsonObject;
  readonly inputRequests?: JsonObject;
}

/** What can be listed. */
export type ListKind = "tools" | "prompts" | "resources" | "templates";

/** One page of a list, in the server's order. */
export interface ListPage {
  readonly items: readonly JsonObject[];
  readonly nextCursor: string | null;
}

/** What an agent wants to hear of while nothing of its own runs (MCP 2026-07-28, Subscriptions, "Notification Filter"). */
export interface ListenFilter {
  readonly toolsListChanged: boolean;
  readonly promptsListChanged: boolean;
  readonly resourcesListChanged: boolean;
  /** URIs to follow; `null` for those the session has subscribed to itself. */
  readonly resourceSubscriptions: readonly string[] | null;
}

/** A stream that an agent listens on while nothing of its own runs. */
export interface StandingStream {
  readonly notify: (method: string, params: JsonObject) => void;
  /** Ends it in order, as the agent would. */
  readonly end: () => void;
}

/**
 * What the endpoint needs of the gateway. `Session` is opaque here; the same session must always be the
 * same object, because its protocol version and running requests are kept beside it. Anything thrown
 * becomes a JSON-RPC error: a `CmcpError` with its code and message, everything else `INTERNAL`.
 */
export interface McpPorts<Session extends object> {
  readonly serverInfo: { readonly name: string; readonly version: string };
  /** Aborts when the gateway stops: streams that agents listen on end then, in order. */
  readonly stopping: AbortSignal;
  /** Server capabilities as `initialize` and `server/discover` name them. */
  readonly capabilities: JsonObject;
  readonly sessions: {
    /** Opens a session for `initialize`; its handle becomes the `Mcp-Session-Id` (visible ASCII). */
    open(caller: Caller): { readonly handle: string } | Promise<{ readonly handle: string }>;
    /** The caller's open session of that handle. Another principal's handle is not found. */
    find(caller: Caller, handle: string): Session | undefined;
    /** The session of a request without a handle: one for each label of the caller, and one for none. */
    default(caller: Caller, label: string | null): Session | Promise<Session>;
    end(caller: Caller, session: Session): Promise<void>;
  };
  /** What this caller may use, as approved. @throws CmcpError for a cursor that was not given to this caller */
  list(caller: Caller, session: Session, kind: ListKind, cursor: string | null): ListPage | Promise<ListPage>;
  /** Which tools of a list can be called as tasks, by their names (MCP 2025-11-25, Tasks, "Tool-Level Negotiation"). Servers that do not say in time are left out. */
  taskSupport(tools: readonly JsonObject[]): Promise<ReadonlyMap<string, TaskSupport>>;
  /** Decides and runs a request. `peer.signal` aborts when the agent goes away or cancels; the request is awaited all the same. */
  perform(caller: Caller, session: Session, request: AgentRequest, peer: Peer): Promise<Reply>;
  /** The tasks of a session, oldest first, as they were last seen. */
  tasks(session: Session): readonly TaskState[];
  /**
   * Tells `stream` of changes until `signal` aborts, and ends it when the caller may listen no more.
   * @returns what of the filter is honoured
   * @throws CmcpError `OVERLOADED`
   */
  listen(
    caller: Caller,
    session: Session,
    filter: ListenFilter,
    stream: StandingStream,
    signal: AbortSignal,
  ): Promise<ListenFilter>;
}

/** How a tool can be called as a task; without either it cannot. */
export type TaskSupport = "optional" | "required";

/** Bounds on what an agent may send. */
export interface IngressLimits {
  /** Request body in bytes. */
  readonly maxBodyBytes: number;
  /** Requests of one session that run at the same time. */
  readonly maxInFlight: number;
}

/** 1 MiB a request, 64 running requests a session. */
export const DEFAULT_INGRESS_LIMITS: IngressLimits = { maxBodyBytes: 1024 * 1024, maxInFlight: 64 };
