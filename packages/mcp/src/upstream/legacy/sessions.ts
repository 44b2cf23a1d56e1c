import { CmcpError, asCmcpError } from "@cmcp/boundary";
import { readClientCapabilities, type ClientCapabilities } from "../../protocol/client-capabilities.ts";
import { NEWEST_LEGACY_VERSION } from "../../versions.ts";
import { raceAbort } from "../abort.ts";
import { withSent } from "../fault.ts";
import { silentPeer } from "../../peer.ts";
import type { ChangeListeners } from "./change-listeners.ts";
import { SessionRouter } from "./session-router.ts";
import { SessionStream } from "./session-stream.ts";
import { readNegotiated, type UpstreamSession } from "./session.ts";
import { NotResumed, SessionLost } from "./session-fault.ts";
import type { LegacyTransport } from "./transport.ts";

/** An upstream session, from the moment it is asked for. */
interface Opening {
  readonly promise: Promise<UpstreamSession>;
  session: UpstreamSession | undefined;
}

/** On whose behalf something runs in a session. */
interface Caller {
  readonly signal: AbortSignal;
  /** What it can be asked for. */
  readonly capabilities?: ClientCapabilities;
}

/** The MCP sessions with one tool server: one for each gateway session, opened on first use. */
export class LegacySessions {
  readonly #transport: LegacyTransport;
  readonly #clientInfo: { readonly name: string; readonly version: string };
  readonly #changes: ChangeListeners;
  readonly #closing: AbortSignal;
  readonly #openings = new Map<string, Opening>();
  /** What the server was told first that the caller of each can be asked for, and is told again whenever it has to be opened anew. */
  readonly #declared = new Map<string, ClientCapabilities>();

  constructor(
    transport: LegacyTransport,
    clientInfo: { readonly name: string; readonly version: string },
    changes: ChangeListeners,
    closing: AbortSignal,
  ) {
    this.#transport = transport;
    this.#clientInfo = clientInfo;
    this.#changes = changes;
    this.#closing = closing;
  }

  /**
   * Runs a request in the session of `key`, opening it if need be, and once more when the server lost it before.
   * @param caller without capabilities where it speaks for the session and for nobody who could be asked
   */
  async run<T>(key: string, caller: Caller, request: (session: UpstreamSession) => Promise<T>): Promise<T> {
    let lost: SessionLost | undefined;
    for (;;) {
      const opening = this.#opening(key, caller.capabilities);
      try {
        return await request(opening.session ?? (await this.#opened(opening.promise, caller.signal)));
      } catch (thrown) {
        const fault = asCmcpError(thrown, "INTERNAL", "the tool server's answer could not be read");
        // Servers answer 404, some 400, for a session they no longer know. Only 404 to the request itself says that nothing ran.
        const unknown = fault.detail.status === 404 || fault.detail.status === 400;
        if (unknown || fault instanceof NotResumed) this.#forget(key, opening);
        if (lost !== undefined) throw withSent(fault, true);
        if (!(thrown instanceof SessionLost)) throw fault;
        lost = thrown;
      }
    }
  }

  /** Ends the session of `key`, if there is one; waits a few seconds at most. Never throws. */
  async close(key: string): Promise<void> {
    const opening = this.#openings.get(key);
    this.#openings.delete(key);
    this.#declared.delete(key);
    if (opening?.session !== undefined) await this.#transport.end(opening.session);
    // One that is still being opened has lost its caller: it ends when it can, and nobody waits.
    else
      opening?.promise.then(
        (session) => this.#transport.end(session),
        () => undefined,
      );
  }

  /** Forgets all of them without a word to the server. */
  clear(): void {
    this.#openings.clear();
    this.#declared.clear();
  }

  #opening(key: string, capabilities: ClientCapabilities | undefined): Opening {
    const known = this.#openings.get(key);
    if (known !== undefined) return known;
    const declared = this.#declared.get(key) ?? capabilities;
    if (declared !== undefined) this.#declared.set(key, declared);
    const opening: Opening = { promise: this.#initialize(key, declared ?? {}), session: undefined };
    this.#openings.set(key, opening);
    opening.promise.then(
      (session) => (opening.session = session),
      () => this.#forget(key, opening),
    );
    return opening;
  }

  #forget(key: string, opening: Opening): void {
    if (this.#openings.get(key) === opening) this.#openings.delete(key);
  }

  /** Waits for a session others may wait for too. Whatever goes wrong here, the call itself has not left. */
  async #opened(opening: Promise<UpstreamSession>, signal: AbortSignal): Promise<UpstreamSession> {
    try {
      return await raceAbort(opening, signal);
    } catch (thrown) {
      if (signal.aborted)
        throw withSent(asCmcpError(signal.reason, "REQUEST_CANCELLED", "the caller went away"), false);
      throw new NotOpened(asCmcpError(thrown, "INTERNAL", "no session with the tool server"));
    }
  }

  /** MCP "Initialization": offers the newest legacy version and what the session's first caller can be asked for. */
  async #initialize(key: string, declared: ClientCapabilities): Promise<UpstreamSession> {
    const capabilities = readClientCapabilities(declared);
    const params = { protocolVersion: NEWEST_LEGACY_VERSION, capabilities, clientInfo: { ...this.#clientInfo } };
    const { result, sessionId } = await this.#transport.request(null, "initialize", params, silentPeer(this.#closing));
    const router = new SessionRouter((method, params) => this.#changes.told(key, method, params));
    const stream = new SessionStream(router, (opened, signal, position) =>
      this.#transport.listen(session, opened, signal, position),
    );
    const session: UpstreamSession = { id: sessionId, ...readNegotiated(result), router, stream };
    await this.#transport.send(
      session,
      JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" }),
      this.#closing,
    );
    return session;
  }
}

/** No session could be opened, so nothing that was to run in it has left. */
export class NotOpened extends CmcpError {
  constructor(cause: CmcpError) {
    super(cause.code, cause.message, { cause, detail: { ...cause.detail, sent: 0 } });
  }
}
