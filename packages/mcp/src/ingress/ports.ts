import type { JsonObject } from "@cmcp/boundary";
import type { Peer } from "../peer.ts";
import type { AgentRequest } from "../protocol/agent-request.ts";
import type { ListenFilter } from "../protocol/local-params.ts";
import type { ListKind } from "../protocol/methods.ts";
import type { RpcBody } from "../protocol/outcome.ts";
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

/** One page of a list, in the server's order. */
export interface ListPage {
  readonly items: readonly JsonObject[];
  readonly nextCursor: string | null;
}

/** A stream that an agent listens on while nothing of its own runs. */
export interface ListenStream {
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
  /**
   * Which tools of a list can be called as tasks, by their names (MCP 2025-11-25, Tasks, "Tool-Level Negotiation").
   * Servers that do not say in time are left out.
   */
  taskSupport(tools: readonly JsonObject[]): Promise<ReadonlyMap<string, TaskSupport>>;
  /**
   * Decides and runs a request, and answers it with the body that `peer.present` makes of its outcome. `peer.signal` aborts
   * when the agent goes away or cancels; the request is awaited all the same.
   */
  perform(caller: Caller, session: Session, request: AgentRequest, peer: Peer): Promise<RpcBody>;
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
    stream: ListenStream,
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
