import type { ErrorCode, JsonObject } from "@cmcp/boundary";
import type { RequestId } from "../jsonrpc/message.ts";

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

/** One tools/call, parsed and stripped of what is meant for the gateway. */
export interface ToolCall {
  readonly name: string;
  readonly arguments: JsonObject;
  /** `params._meta` without `progressToken`, which is not forwarded; `null` when nothing is left. */
  readonly meta: JsonObject | null;
  /** From `params._cmcp.workflow_id` or `X-MCP-Workflow-ID`: a wish, to be held against the principal's set. */
  readonly workflowId: string | null;
  readonly dataClass: string | null;
  readonly requestId: RequestId;
}

/**
 * How a call ended. `data` of a refusal travels to the agent as `error.data`, next to its `error_code`;
 * neither it nor `message` may name the policy rule.
 */
export type ToolReply =
  | { readonly ok: true; readonly result: JsonObject }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string; readonly data: JsonObject };

/**
 * What the endpoint needs of the gateway. `Session` is opaque here; the same session must always be the
 * same object, because its protocol version and running requests are kept beside it. Anything thrown
 * becomes a JSON-RPC error: a `CmcpError` with its code and message, everything else `INTERNAL`.
 */
export interface McpPorts<Session extends object> {
  readonly serverInfo: { readonly name: string; readonly version: string };
  readonly sessions: {
    /** Opens a session for `initialize`; its handle becomes the `Mcp-Session-Id` (visible ASCII). */
    open(caller: Caller): { readonly handle: string } | Promise<{ readonly handle: string }>;
    /** The caller's open session of that handle. Another principal's handle is not found. */
    find(caller: Caller, handle: string): Session | undefined;
    /** The session of a request without a handle: one for each label of the caller, and one for none. */
    default(caller: Caller, label: string | null): Session | Promise<Session>;
    end(caller: Caller, session: Session): Promise<void>;
  };
  /** Approved definitions of the tools this caller may use. */
  listTools(caller: Caller, session: Session): readonly ToolDefinition[] | Promise<readonly ToolDefinition[]>;
  /** Decides and runs a call. `signal` aborts when the agent goes away or cancels; the call is awaited all the same. */
  callTool(caller: Caller, session: Session, call: ToolCall, signal: AbortSignal): Promise<ToolReply>;
}

/** Bounds on what an agent may send. */
export interface IngressLimits {
  /** Request body in bytes. */
  readonly maxBodyBytes: number;
  /** Requests of one session that run at the same time. */
  readonly maxInFlight: number;
}

/** 1 MiB a request, 64 running requests a session. */
export const DEFAULT_INGRESS_LIMITS: IngressLimits = { maxBodyBytes: 1024 * 1024, maxInFlight: 64 };
