import type { LogLevel } from "../../log-level.ts";
import type { ClientCapabilities } from "../../protocol/client-capabilities.ts";
import type { LegacyVersion } from "../../versions.ts";
import { RPC } from "../../jsonrpc/reply.ts";
import type { Caller, McpPorts } from "../ports.ts";
import { Refusal, invalidRequest } from "../refusal.ts";
import { PendingQuestions } from "./pending-questions.ts";
import { InFlight } from "./in-flight.ts";
import type { RequestHeaders } from "../http-request.ts";

/** What the protocol keeps for a session that `initialize` opened. */
export interface OpenedSession<Session> {
  readonly session: Session;
  readonly version: LegacyVersion;
  readonly inFlight: InFlight;
  /** Client capabilities named in `initialize`. */
  readonly capabilities: ClientCapabilities;
  readonly questions: PendingQuestions;
  /** Set by `logging/setLevel`. */
  logLevel: LogLevel | null;
  /** Whether the session's own stream is open. */
  listening: boolean;
}

/** Sessions opened by `initialize`, found again by the handle the client sends. */
export class OpenedSessions<Session extends object> {
  readonly #ports: McpPorts<Session>;
  readonly #maxInFlight: number;
  // Weak: the gateway alone decides how long a session lives.
  readonly #opened = new WeakMap<Session, OpenedSession<Session>>();

  constructor(ports: McpPorts<Session>, maxInFlight: number) {
    this.#ports = ports;
    this.#maxInFlight = maxInFlight;
  }

  /** Opens a session and returns its handle. */
  async open(caller: Caller, version: LegacyVersion, capabilities: ClientCapabilities): Promise<string> {
    const { handle } = await this.#ports.sessions.open(caller);
    const session = this.#ports.sessions.find(caller, handle);
    if (session === undefined)
      throw new Refusal("SESSION_CLOSED", RPC.refused, "the session closed while it was opened");
    this.#opened.set(session, {
      session,
      version,
      inFlight: new InFlight(this.#maxInFlight),
      capabilities,
      questions: new PendingQuestions(),
      logLevel: null,
      listening: false,
    });
    return handle;
  }

  /**
   * The session of `Mcp-Session-Id`, or `undefined` for a request without one. 404 for a handle that is
   * unknown, ended or another principal's; 400 when `MCP-Protocol-Version` is not the negotiated one.
   */
  fromHeaders(headers: RequestHeaders, caller: Caller): OpenedSession<Session> | undefined {
    const handle = headers.get("mcp-session-id");
    if (handle === null) return undefined;
    const session = this.#ports.sessions.find(caller, handle);
    const opened = session === undefined ? undefined : this.#opened.get(session);
    if (opened === undefined)
      throw new Refusal("MCP_SESSION_UNKNOWN", RPC.refused, "Mcp-Session-Id names no open session");
    const version = headers.get("mcp-protocol-version");
    if (version !== null && version !== opened.version) {
      throw invalidRequest("MCP-Protocol-Version is not the version this session negotiated");
    }
    return opened;
  }
}
