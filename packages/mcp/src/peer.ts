import { CmcpError, type JsonObject } from "@cmcp/boundary";
import type { RequestId } from "./jsonrpc/message.ts";
import type { LogLevel } from "./log-level.ts";
import type { ClientCapabilities } from "./protocol/client-capabilities.ts";
import type { Era } from "./protocol/era.ts";
import type { Outcome, RpcBody } from "./protocol/outcome.ts";
import type { ServerAuthentication } from "./upstream/authentication.ts";
import { RPC } from "./jsonrpc/reply.ts";
import { legacyTask } from "./tasks/state.ts";

/** A host and a port there. */
export interface EgressTarget {
  readonly host: string;
  readonly port: number;
}

/** Whether a server may connect to a host while it works on one request. */
export interface EgressDecision {
  readonly isAllowed: boolean;
  /** Stores the decision. @throws CmcpError if it is not stored; then nothing is connected */
  record(isConnected: boolean): Promise<void>;
}

/** Decides where a server connects to while it works on one request. */
export interface PeerEgress {
  decide(target: EgressTarget): EgressDecision;
  /** Counts connections that were refused before the request, as nothing ran that could allow them. */
  countRefusedBefore(connections: number): void;
  /** Counts bytes that went to a host, and came from one. */
  count(sent: number, received: number): void;
}

/** The caller on whose behalf a server is asked: how a server may reach it while it works, and how it is answered. */
export interface Peer {
  readonly era: Era;
  /** Aborts when the caller goes away or cancels. */
  readonly signal: AbortSignal;
  /** Client capabilities (MCP, "Capabilities") that a server is told of; what is not here is never asked for. */
  readonly capabilities: ClientCapabilities;
  /** The token by which the caller wants to hear of progress; `null` where it does not. It names nothing to a server. */
  readonly progressToken: RequestId | null;
  /** Whether log messages are wanted, and the least severe one where the caller said. */
  readonly wantsLog: boolean;
  readonly logLevel: LogLevel | null;
  /** How the caller can be asked for input: at once, by sending the request again with the answers, or not at all. */
  readonly input: "ask" | "retry" | "none";
  /** Decides where the server connects to meanwhile; it connects nowhere for a caller without one. */
  readonly egress?: PeerEgress | undefined;
  /** Takes who was found at the other end of a connection, before what is sent for this caller leaves over it. */
  authenticated?(server: ServerAuthentication): void;
  /** Takes a notification that belongs to the request. The server is read no further until this resolves. */
  notify(method: string, params: JsonObject): Promise<void>;
  /**
   * Puts a server's request to the caller. It is void when the request it belongs to is over.
   * @param until aborts when it is void before
   * @throws CmcpError when the caller cannot be asked, refuses, or is asked no more
   */
  ask(method: string, params: JsonObject, until?: AbortSignal): Promise<JsonObject>;
  /** An outcome as this caller is answered, before members of the gateway's own. The same outcome always gives the same body. */
  present(outcome: Outcome): RpcBody;
}

/** An outcome for the gateway itself, which is no agent of either era. */
function plainBody(outcome: Outcome): RpcBody {
  switch (outcome.kind) {
    case "result":
      return { result: outcome.result };
    case "input":
      return { result: { inputRequests: outcome.inputRequests ?? {}, requestState: outcome.requestState } };
    case "task":
      return { result: { ...legacyTask(outcome.task), ...outcome.ending } };
    case "error":
      return { error: { code: RPC.refused, message: outcome.message, data: outcome.data }, status: 200 };
  }
}

/** Nobody to be asked or told anything: the gateway's own requests, and callers that wait for the answer alone. */
export function silentPeer(signal: AbortSignal): Peer {
  return {
    era: "modern",
    signal,
    capabilities: {},
    progressToken: null,
    wantsLog: false,
    logLevel: null,
    input: "none",
    notify: async () => undefined,
    ask: async () => {
      throw new CmcpError("NOT_SUPPORTED", "nobody can be asked");
    },
    present: plainBody,
  };
}

/**
 * Who reads what a server offers: it names every capability, because servers hide what a client could not use, and
 * answers nothing.
 */
export function readingPeer(signal: AbortSignal): Peer {
  return { ...silentPeer(signal), capabilities: { elicitation: {}, sampling: {}, roots: {} } };
}

/**
 * What a server answers a request with: its result, what it needs to know first (MCP 2026-07-28, "Multi Round-Trip
 * Requests"), or a task that will have the result (Tasks extension, "Task Creation").
 */
export type UpstreamAnswer =
  | { readonly kind: "complete"; readonly result: JsonObject }
  | { readonly kind: "task"; readonly task: JsonObject }
  | {
      readonly kind: "input_required";
      readonly inputRequests: JsonObject | null;
      readonly requestState: string | null;
    };
