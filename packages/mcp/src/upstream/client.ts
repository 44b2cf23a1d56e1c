import { CmcpError, asCmcpError, isJsonObject, type JsonObject } from "@cmcp/boundary";
import type { Pool } from "./undici.ts";
import { mirroredParameters } from "../modern/mirrored-parameters.ts";
import { raceAbort } from "./abort.ts";
import { peerFor, isCancellation } from "./cancellation.ts";
import { ServerEra, didNotRun, suggestsOtherEra, type UpstreamEra } from "./era.ts";
import { Exchanges, endpointOf } from "./exchanges.ts";
import { upstreamFault, withSent } from "./fault.ts";
import { tasksUnsupported } from "../tasks/support.ts";
import { createPool } from "./pool.ts";
import type { ListenFilter } from "../protocol/local-params.ts";
import type { ListKind } from "../protocol/methods.ts";
import { changesOnly, filterParams, keepListening, rateLimited, type NotificationHandler } from "./listening.ts";
import { completed, readList } from "./lists.ts";
import { SET_LEVEL_MS } from "./server-log-level.ts";
import type { LogLevel } from "../log-level.ts";
import type { Upstream, UpstreamLoad, UpstreamRequest } from "./upstream.ts";
import { legacyServerPeer } from "./legacy/legacy-server-peer.ts";
import { ChangeListeners } from "./legacy/change-listeners.ts";
import { LegacySessions } from "./legacy/sessions.ts";
import { LegacyTransport } from "./legacy/transport.ts";
import { ModernTransport, type ModernRequest } from "./modern/transport.ts";
import { DEFAULT_UPSTREAM_LIMITS, type UpstreamOptions } from "./options.ts";
import { readingPeer, silentPeer, type Peer, type UpstreamAnswer } from "../peer.ts";

/** How long a server may take over what nobody waits for. */
const COURTESY_MS = 5_000;
/** Streams of one server that may stay open: of every call that may run, of what sessions follow, and the gateway's own. */
const MAX_STREAMS = 512;
/** A tool as it was approved: its name at the server, and the schema of its arguments. */
export interface UpstreamTool {
  readonly name: string;
  readonly inputSchema: JsonObject;
}

/**
 * A tool server over streamable HTTP, in whichever era it speaks. Bytes go only through `dial`. In the modern
 * era every request stands alone; in the legacy era each gateway session has an MCP session of its own with
 * the server, opened on first use. Connections are shared and kept alive.
 *
 * Every `CmcpError` of a call carries `detail.sent`: 0 when nothing of the call left, 1 when bytes of it may
 * have, so that its outcome is unknown. Codes: `UPSTREAM_UNAVAILABLE`, `UPSTREAM_TIMEOUT`,
 * `UPSTREAM_IDENTITY_MISMATCH`, `UPSTREAM_PROTOCOL_ERROR`, `UPSTREAM_CALL_REFUSED`, `UPSTREAM_INPUT_REQUIRED`,
 * `RESPONSE_SIZE_EXCEEDED`, `REQUEST_CANCELLED`, `OVERLOADED`, `CATALOG_INVALID` for an approved schema whose
 * `x-mcp-header` marks are not valid, and what `dial` throws.
 */
export class UpstreamClient implements Upstream {
  readonly #pool: Pool;
  /** Connections of streams that stay open. */
  readonly #standing: Pool;
  readonly #calls: Exchanges;
  readonly #streams: Exchanges;
  readonly #modern: ModernTransport;
  readonly #legacy: LegacyTransport;
  readonly #sessions: LegacySessions;
  readonly #changes = new ChangeListeners();
  readonly #era: ServerEra;
  readonly #closing = new AbortController();

  /** @throws CmcpError `CATALOG_INVALID` for a URL and TLS mode that do not go together. */
  constructor(options: UpstreamOptions) {
    const limits = { ...DEFAULT_UPSTREAM_LIMITS, ...options.limits };
    const clientInfo = { name: options.clientInfo.name, version: options.clientInfo.version };
    this.#pool = createPool(options, limits, this.#closing.signal, limits.maxConnections);
    this.#standing = createPool(options, limits, this.#closing.signal, MAX_STREAMS);
    const endpoint = endpointOf(options);
    const exchanges = new Exchanges(this.#pool, endpoint, limits);
    const streams = new Exchanges(this.#standing, endpoint, { ...limits, maxExchanges: MAX_STREAMS });
    this.#calls = exchanges;
    this.#streams = streams;
    this.#modern = new ModernTransport(exchanges, streams, clientInfo);
    this.#legacy = new LegacyTransport(exchanges, streams);
    this.#sessions = new LegacySessions(this.#legacy, clientInfo, this.#changes, this.#closing.signal);
    this.#era = new ServerEra(this.#modern, limits, this.#closing.signal, options.era);
  }

  /** The era the server was last met in; `undefined` before that. */
  get era(): UpstreamEra | undefined {
    return this.#era.found;
  }

  get load(): UpstreamLoad {
    return { requests: this.#calls.running, streams: this.#streams.running, unattributed: 0 };
  }

  /** Runs `tools/call` on behalf of `sessionKey` and returns its result object as it came, without `resultType`. */
  async callTool(sessionKey: string, tool: UpstreamTool, args: JsonObject, signal: AbortSignal): Promise<JsonObject> {
    const answer = await this.request(
      sessionKey,
      { method: "tools/call", params: { name: tool.name, arguments: args }, inputSchema: tool.inputSchema },
      silentPeer(signal),
    );
    return completed(answer);
  }

  /**
   * Sends one request on behalf of `sessionKey`, whoever it is about. What the server sends before its answer goes
   * to `peer`; its answer may be that it needs input first.
   */
  async request(sessionKey: string, request: UpstreamRequest, peer: Peer): Promise<UpstreamAnswer> {
    const { method, params, inputSchema } = request;
    const headers =
      inputSchema === undefined
        ? {}
        : mirroredParameters(inputSchema, isJsonObject(params.arguments) ? params.arguments : {});
    return await this.#request(sessionKey, { method, params, headers }, peerFor(method, peer));
  }

  /** The server's live tools, all pages, each with a `name` of its own and otherwise as they came. */
  async listTools(sessionKey: string, signal: AbortSignal): Promise<JsonObject[]> {
    return await this.list(sessionKey, "tools", signal);
  }

  /** What a server lists now, all pages, each with an identity of its own and otherwise as it came. */
  async list(sessionKey: string, kind: ListKind, signal: AbortSignal): Promise<JsonObject[]> {
    return await readList(kind, (method, params) => this.#request(sessionKey, { method, params }, readingPeer(signal)));
  }

  /**
   * Asks the server to tell of a resource on behalf of `sessionKey`, beside what it tells of already. In the modern era it is
   * asked whether it would, as there the stream of {@link listen} is what it tells on.
   * @throws CmcpError `UPSTREAM_CALL_REFUSED` when it will not; as {@link request}
   */
  async subscribe(
    sessionKey: string,
    request: UpstreamRequest,
    followed: readonly string[],
    peer: Peer,
  ): Promise<void> {
    const era = this.#era.found ?? (await this.#known(this.#era.current(), peer.signal));
    if (era === "legacy") return void (await this.request(sessionKey, request, peer));
    const { uri } = request.params;
    const { resourceSubscriptions: honoured } = await this.#modern.honoured(
      { resourceSubscriptions: [...followed, ...(typeof uri === "string" ? [uri] : [])] },
      peer,
    );
    if (!Array.isArray(honoured) || !honoured.includes(uri ?? null))
      throw upstreamFault("UPSTREAM_CALL_REFUSED", "the tool server does not honour the subscription", true);
  }

  /**
   * Hears of changes on behalf of `sessionKey` until `signal` aborts; resolves then, or when a modern server offers no
   * such stream: a legacy one tells on those of its answers, too. There resources are subscribed to beside it, and stay so.
   * Never throws.
   */
  async listen(
    sessionKey: string,
    filter: ListenFilter,
    notified: NotificationHandler,
    signal: AbortSignal,
  ): Promise<void> {
    const heard = rateLimited(changesOnly(notified));
    const leave = this.#changes.hear({ sessionKey, filter, notified: heard });
    try {
      await keepListening(async (position) => {
        const era = await this.#known(this.#era.current(), signal);
        if (era === "modern") return await this.#modern.listen(filterParams(filter), heard, signal, position);
        if (!(await this.#follow(sessionKey, filter, signal))) await this.#era.modern(signal);
        return true;
      }, signal);
    } finally {
      leave();
    }
  }

  /** Has a legacy session's own stream open, and what is followed subscribed to. @returns false when the server offers none */
  async #follow(sessionKey: string, filter: ListenFilter, signal: AbortSignal): Promise<boolean> {
    return await this.#sessions.run(sessionKey, { signal }, async (session) => {
      // Anew, as the session may be another by now; what a server said to who asked for it is not asked for again.
      const subscribe = async (): Promise<void> => {
        for (const uri of filter.resourceSubscriptions ?? [])
          await this.#legacy
            .request(session, "resources/subscribe", { uri }, silentPeer(signal))
            .catch(() => undefined);
      };
      return await session.stream.follow(() => void subscribe(), signal);
    });
  }

  /** Gives up a subscription at a server of the legacy era; one that does not take it forgets it with the session. Never throws. */
  async unsubscribe(sessionKey: string, uri: string): Promise<void> {
    const peer = silentPeer(AbortSignal.any([this.#closing.signal, AbortSignal.timeout(COURTESY_MS)]));
    await this.#known(this.#era.current(), peer.signal)
      .then(async (era) => {
        if (era === "legacy")
          await this.#sessions.run(sessionKey, { signal: peer.signal }, (session) =>
            this.#legacy.request(session, "resources/unsubscribe", { uri }, peer),
          );
      })
      .catch(() => undefined);
  }

  /**
   * Ends the legacy session of `sessionKey`, if there is one; waits a few seconds at most for the server
   * to take note. No call of it may be running. Never throws.
   */
  async closeSession(sessionKey: string): Promise<void> {
    await this.#sessions.close(sessionKey);
  }

  /** Ends everything at once; what is running fails with `UPSTREAM_UNAVAILABLE`. */
  async close(): Promise<void> {
    this.#closing.abort(new CmcpError("UPSTREAM_UNAVAILABLE", "the connection to the tool server was closed"));
    this.#sessions.clear();
    await Promise.all([this.#pool.destroy(), this.#standing.destroy()]);
    await this.#legacy.drain();
  }

  /** One request in the server's era, and once more in the other when the server turns out to have changed over. */
  async #request(sessionKey: string, request: ModernRequest, peer: Peer): Promise<UpstreamAnswer> {
    const { signal } = peer;
    const verdict = this.#era.current();
    const era = this.#era.found ?? (await this.#known(verdict, signal));
    try {
      return await this.#inEra(era, sessionKey, request, peer);
    } catch (thrown) {
      if (!(thrown instanceof CmcpError) || !suggestsOtherEra(thrown, era)) throw thrown;
      this.#era.forget(verdict);
      if (!didNotRun(thrown)) throw thrown;
      const now = await this.#known(this.#era.current(), signal).catch(() => era);
      if (now === era) throw thrown;
      return await this.#again(thrown, () => this.#inEra(now, sessionKey, request, peer));
    }
  }

  /** A second attempt, whose error speaks of both. */
  async #again<T>(first: CmcpError, attempt: () => Promise<T>): Promise<T> {
    try {
      return await attempt();
    } catch (thrown) {
      const fault = asCmcpError(thrown, "INTERNAL", "the tool server's answer could not be read");
      throw withSent(fault, first.detail.sent !== 0 || fault.detail.sent !== 0);
    }
  }

  async #inEra(era: UpstreamEra, sessionKey: string, request: ModernRequest, caller: Peer): Promise<UpstreamAnswer> {
    if (era === "modern") return await this.#modern.request(request, caller);
    const peer = legacyServerPeer(caller);
    // A cancellation speaks for the session: it declares nothing that others of the session would be held to.
    const opener = isCancellation(request.method) ? { signal: peer.signal } : peer;
    return await this.#sessions.run(sessionKey, opener, async (session) => {
      if (request.params.task !== undefined && !session.offers.tasks) throw tasksUnsupported("legacy");
      const set = (level: LogLevel): Promise<unknown> =>
        this.#legacy.request(
          session,
          "logging/setLevel",
          { level },
          silentPeer(AbortSignal.any([peer.signal, AbortSignal.timeout(SET_LEVEL_MS)])),
        );
      const wanted = peer.wantsLog && session.offers.logging ? peer.logLevel : null;
      const { result } = await session.logLevel.during(wanted, set, () =>
        session.stream.during(peer, () => this.#legacy.request(session, request.method, request.params, peer)),
      );
      return { kind: "complete", result };
    });
  }

  /** Waits for a verdict others may wait for too. Whatever goes wrong here, the request itself has not left. */
  async #known(verdict: Promise<UpstreamEra>, signal: AbortSignal): Promise<UpstreamEra> {
    try {
      return await raceAbort(verdict, signal);
    } catch (thrown) {
      throw withSent(asCmcpError(thrown, "REQUEST_CANCELLED", "the caller went away"), false);
    }
  }
}
