import { CmcpError, asCmcpError, isJsonObject, type JsonObject } from "@cmcp/boundary";
import { Pool } from "undici";
import { NEWEST_LEGACY_VERSION } from "../versions.ts";
import { raced } from "./abort.ts";
import { createConnector } from "./connector.ts";
import { protocolFault, withSent } from "./fault.ts";
import { PIN_BYTES } from "./identity.ts";
import { readNegotiated, type UpstreamSession } from "./legacy/session.ts";
import { LegacyTransport, SessionLost } from "./legacy/transport.ts";
import { DEFAULT_UPSTREAM_LIMITS, type UpstreamLimits, type UpstreamOptions } from "./options.ts";

/** An upstream session, from the moment it is asked for. */
interface Opening {
  readonly promise: Promise<UpstreamSession>;
  session: UpstreamSession | undefined;
}

/** Pages and tools of one list. */
const MAX_PAGES = 64;
const MAX_TOOLS = 4096;

function destination(options: UpstreamOptions, limits: UpstreamLimits): Parameters<typeof createConnector>[0] {
  const { url, tls, dial } = options;
  if (tls.mode === "pinned" && tls.spkiSha256.byteLength !== PIN_BYTES) {
    throw new CmcpError("CATALOG_INVALID", `a server's key pin has ${PIN_BYTES} bytes`);
  }
  if (url.protocol !== (tls.mode === "pinned" ? "https:" : "http:")) {
    throw new CmcpError("CATALOG_INVALID", "a server's URL is https: with a key pin, and http: without one");
  }
  if (url.username !== "" || url.password !== "") throw new CmcpError("CATALOG_INVALID", "a server's URL carries no credentials");
  const port = url.port === "" ? (tls.mode === "pinned" ? 443 : 80) : Number(url.port);
  return { host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port, dial, tls, connectMs: limits.connectMs };
}

/**
 * A tool server over streamable HTTP. Bytes go only through `dial`. Each gateway session has an MCP session
 * of its own with the server, opened on first use; connections are shared and kept alive.
 *
 * Every `CmcpError` of a call carries `detail.sent`: 0 when nothing of the call left, 1 when bytes of it may
 * have, so that its outcome is unknown. Codes: `UPSTREAM_UNAVAILABLE`, `UPSTREAM_TIMEOUT`,
 * `UPSTREAM_IDENTITY_MISMATCH`, `UPSTREAM_PROTOCOL_ERROR`, `UPSTREAM_CALL_REFUSED`,
 * `RESPONSE_SIZE_EXCEEDED`, `REQUEST_CANCELLED`, `OVERLOADED`, and what `dial` throws.
 */
export class UpstreamClient {
  readonly #pool: Pool;
  readonly #transport: LegacyTransport;
  readonly #clientInfo: { readonly name: string; readonly version: string };
  readonly #sessions = new Map<string, Opening>();
  readonly #closing = new AbortController();

  /** @throws CmcpError `CATALOG_INVALID` for a URL and TLS mode that do not go together. */
  constructor(options: UpstreamOptions) {
    const limits = { ...DEFAULT_UPSTREAM_LIMITS, ...options.limits };
    this.#clientInfo = { name: options.clientInfo.name, version: options.clientInfo.version };
    this.#pool = new Pool(options.url.origin, {
      connect: createConnector(destination(options, limits), this.#closing.signal),
      connections: limits.maxConnections,
      pipelining: 1,
      allowH2: false,
      maxHeaderSize: limits.maxHeaderBytes,
      // HttpExchange keeps the time: to the millisecond, and with the reason.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    this.#transport = new LegacyTransport(this.#pool, options.url.pathname + options.url.search, limits);
  }

  /** Runs `tools/call` in the upstream session of `sessionKey` and returns its result object as it came. */
  async callTool(sessionKey: string, name: string, args: JsonObject, signal: AbortSignal): Promise<JsonObject> {
    return this.#inSession(sessionKey, signal, async (session) => {
      const { result } = await this.#transport.request(session, "tools/call", { name, arguments: args }, signal);
      return result;
    });
  }

  /** The server's live tools, all pages, each with a `name` of its own and otherwise as they came. */
  async listTools(sessionKey: string, signal: AbortSignal): Promise<JsonObject[]> {
    return this.#inSession(sessionKey, signal, async (session) => {
      const tools = new Map<string, JsonObject>();
      let cursor: JsonObject = {};
      for (let page = 0; page < MAX_PAGES; page += 1) {
        const { result } = await this.#transport.request(session, "tools/list", cursor, signal);
        if (!Array.isArray(result.tools)) throw protocolFault("the tool server's list has no tools");
        for (const tool of result.tools) {
          if (!isJsonObject(tool) || typeof tool.name !== "string" || tools.has(tool.name)) {
            throw protocolFault("the tool server lists a tool without a name of its own");
          }
          tools.set(tool.name, tool);
        }
        if (tools.size > MAX_TOOLS) break;
        if (result.nextCursor === undefined || result.nextCursor === null) return [...tools.values()];
        cursor = { cursor: result.nextCursor };
      }
      throw protocolFault(`the tool server lists more than ${MAX_TOOLS} tools or ${MAX_PAGES} pages`);
    });
  }

  /**
   * Ends the upstream session of `sessionKey`, if there is one; waits a few seconds at most for the server
   * to take note. No call of it may be running. Never throws.
   */
  async closeSession(sessionKey: string): Promise<void> {
    const opening = this.#sessions.get(sessionKey);
    this.#sessions.delete(sessionKey);
    if (opening?.session !== undefined) await this.#transport.end(opening.session);
    // One that is still being opened has lost its caller: it ends when it can, and nobody waits.
    else opening?.promise.then((session) => this.#transport.end(session), () => undefined);
  }

  /** Ends everything at once; what is running fails with `UPSTREAM_UNAVAILABLE`. */
  async close(): Promise<void> {
    this.#closing.abort(new CmcpError("UPSTREAM_UNAVAILABLE", "the connection to the tool server was closed"));
    this.#sessions.clear();
    await this.#pool.destroy();
    await this.#transport.settle();
  }

  async #inSession<T>(sessionKey: string, signal: AbortSignal, run: (session: UpstreamSession) => Promise<T>): Promise<T> {
    let lost: SessionLost | undefined;
    for (;;) {
      const opening = this.#session(sessionKey);
      try {
        return await run(await this.#opened(opening.promise, signal));
      } catch (thrown) {
        const fault = asCmcpError(thrown, "INTERNAL", "the tool server's answer could not be read");
        // Servers answer 404, some 400, for a session they no longer know. Only 404 says that nothing ran.
        const unknown = fault.detail.status === 404 || fault.detail.status === 400;
        if (unknown) this.#forget(sessionKey, opening);
        if (lost !== undefined) throw withSent(fault, true);
        if (!(thrown instanceof SessionLost)) throw fault;
        lost = thrown;
      }
    }
  }

  #session(sessionKey: string): Opening {
    const known = this.#sessions.get(sessionKey);
    if (known !== undefined) return known;
    const opening: Opening = { promise: this.#initialize(), session: undefined };
    this.#sessions.set(sessionKey, opening);
    opening.promise.then(
      (session) => (opening.session = session),
      () => this.#forget(sessionKey, opening),
    );
    return opening;
  }

  #forget(sessionKey: string, opening: Opening): void {
    if (this.#sessions.get(sessionKey) === opening) this.#sessions.delete(sessionKey);
  }

  /** Waits for a session others may wait for too. Whatever goes wrong here, the call itself has not left. */
  async #opened(opening: Promise<UpstreamSession>, signal: AbortSignal): Promise<UpstreamSession> {
    try {
      return await raced(opening, signal);
    } catch (thrown) {
      const fault = signal.aborted
        ? asCmcpError(signal.reason, "REQUEST_CANCELLED", "the caller went away")
        : asCmcpError(thrown, "INTERNAL", "no session with the tool server");
      throw withSent(fault, false);
    }
  }

  /** MCP "Initialization": offers the newest legacy version and no capabilities. */
  async #initialize(): Promise<UpstreamSession> {
    const params = { protocolVersion: NEWEST_LEGACY_VERSION, capabilities: {}, clientInfo: { ...this.#clientInfo } };
    const { signal } = this.#closing;
    const { result, sessionId } = await this.#transport.request(null, "initialize", params, signal);
    const session = { id: sessionId, version: readNegotiated(result) };
    await this.#transport.send(session, JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" }), signal);
    return session;
  }
}
