import { CmcpError, asCmcpError, isJsonObject, type JsonObject } from "@cmcp/boundary";
import { readClientCapabilities, type ClientCapabilities } from "../../protocol/client-capabilities.ts";
import type { ListenFilter } from "../../protocol/local-params.ts";
import type { ListKind } from "../../protocol/methods.ts";
import { readingPeer, silentPeer, type Peer, type UpstreamAnswer } from "../../peer.ts";
import { NEWEST_LEGACY_VERSION, SERVER_VERSIONS, isServerVersion } from "../../versions.ts";
import { waitForAbort, raceAbort } from "../abort.ts";
import { peerFor, isCancellation } from "../cancellation.ts";
import { protocolFault, withSent } from "../fault.ts";
import type { LogLevel } from "../../log-level.ts";
import { tasksUnsupported } from "../../tasks/support.ts";
import { readOffers, type Offers } from "../legacy/session.ts";
import { SET_LEVEL_MS } from "../server-log-level.ts";
import { readList } from "../lists.ts";
import type { NotificationHandler } from "../listening.ts";
import { DEFAULT_UPSTREAM_LIMITS, type UpstreamLimits } from "../options.ts";
import type { Upstream, UpstreamLoad, UpstreamRequest } from "../upstream.ts";
import type { MessageChannel, OpenChannel } from "./channel.ts";
import { Conversation, type UnattributedCount } from "./conversation.ts";
import { ListenerRegistry } from "./listener-registry.ts";
import type { LongLivedConnection, LongLivedConnections } from "./long-lived-connections.ts";

export interface ChannelClientOptions {
  /** Opens a connection on behalf of a session. */
  readonly open: (sessionKey: string) => OpenChannel;
  readonly clientInfo: { readonly name: string; readonly version: string };
  readonly limits?: Partial<UpstreamLimits>;
  /** Who hears what servers say unasked; given where it outlives the client. */
  readonly following?: ListenerRegistry;
  /** Where messages are counted that reached nobody; given where the count outlives the client. */
  readonly unattributed?: UnattributedCount;
  /** What bounds the connections, where somebody else does not, and whose the connection of a session is. */
  readonly standing?: { readonly connections: LongLivedConnections; readonly holderOf: (sessionKey: string) => string };
}

/** A connection of one session, from the moment it is asked for. */
interface Connection {
  readonly conversation: Conversation;
  readonly channel: Promise<MessageChannel>;
  readonly standing: LongLivedConnection | undefined;
  /** Aborts when the connection has ended. */
  readonly ended: AbortSignal;
  /** Requests and listeners that need it. */
  uses: number;
}

/** A tool server behind {@link MessageChannel}s: one connection, and so one MCP session, for each session of the gateway. */
export class ChannelClient implements Upstream {
  readonly #options: ChannelClientOptions;
  readonly #limits: UpstreamLimits;
  readonly #connections = new Map<string, Connection>();
  readonly #closing = new AbortController();
  readonly #following: ListenerRegistry;
  readonly #unattributed: UnattributedCount;

  constructor(options: ChannelClientOptions) {
    this.#options = options;
    this.#following = options.following ?? new ListenerRegistry();
    this.#unattributed = options.unattributed ?? { count: 0 };
    this.#limits = { ...DEFAULT_UPSTREAM_LIMITS, ...options.limits };
  }

  get load(): UpstreamLoad {
    const open = [...this.#connections.values()];
    return {
      requests: open.reduce((sum, { conversation }) => sum + conversation.waiting, 0),
      streams: open.length,
      unattributed: this.#unattributed.count,
    };
  }

  async request(sessionKey: string, { method, params }: UpstreamRequest, caller: Peer): Promise<UpstreamAnswer> {
    const peer = peerFor(method, caller);
    const opener = isCancellation(method)
      ? { ...peer, capabilities: this.#following.of(sessionKey).capabilities }
      : peer;
    return await this.#use(sessionKey, opener, async ({ conversation }) => {
      const { offers, logLevel } = conversation;
      if (params.task !== undefined && !offers.tasks) throw tasksUnsupported("legacy");
      const set = (level: LogLevel): Promise<unknown> =>
        conversation.request("logging/setLevel", { level }, silentPeer(peer.signal), SET_LEVEL_MS);
      const wanted = peer.wantsLog && offers.logging ? peer.logLevel : null;
      return {
        kind: "complete",
        result: await logLevel.during(wanted, set, () =>
          conversation.request(method, params, peer, this.#limits.totalMs),
        ),
      };
    });
  }

  async list(sessionKey: string, kind: ListKind, signal: AbortSignal): Promise<JsonObject[]> {
    return await readList(kind, (method, params) => this.request(sessionKey, { method, params }, readingPeer(signal)));
  }

  async listen(
    sessionKey: string,
    filter: ListenFilter,
    notified: NotificationHandler,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#following.follow(sessionKey, { filter, notified, signal }, () => this.attend(sessionKey, signal));
  }

  /**
   * Opens a connection for those who listen, where none is, and waits until it has ended or `signal` aborts.
   * @throws CmcpError when there is none to be had
   */
  async attend(sessionKey: string, signal: AbortSignal): Promise<true> {
    const { capabilities } = this.#following.of(sessionKey);
    await this.#use(sessionKey, { ...silentPeer(signal), capabilities }, ({ ended }) => waitForAbort(ended, signal));
    return true;
  }

  /** What is followed is known by who listens. */
  async unsubscribe(): Promise<void> {}

  async closeSession(sessionKey: string): Promise<void> {
    const connection = this.#connections.get(sessionKey);
    this.#connections.delete(sessionKey);
    await connection?.channel.then(
      (channel) => channel.close(),
      () => undefined,
    );
  }

  async close(): Promise<void> {
    this.#closing.abort(new CmcpError("UPSTREAM_UNAVAILABLE", "the connection to the tool server was closed"));
    await Promise.all([...this.#connections.keys()].map((key) => this.closeSession(key)));
  }

  async #use<T>(key: string, peer: Peer, work: (connection: Connection) => Promise<T>): Promise<T> {
    const connection = this.#connections.get(key) ?? this.#open(key, peer.capabilities);
    connection.standing?.use();
    connection.uses += 1;
    try {
      await this.#opened(connection, peer);
      return await work(connection);
    } finally {
      connection.uses -= 1;
      if (connection.uses === 0) connection.standing?.rest();
    }
  }

  /** Waits for a connection others may wait for too. Whatever goes wrong here, the request itself has not left. */
  async #opened({ channel }: Connection, peer: Peer): Promise<void> {
    try {
      await raceAbort(channel, peer.signal);
    } catch (thrown) {
      throw withSent(
        asCmcpError(
          thrown,
          peer.signal.aborted ? "REQUEST_CANCELLED" : "UPSTREAM_UNAVAILABLE",
          "no connection to the tool server",
        ),
        false,
      );
    }
  }

  #open(key: string, capabilities: ClientCapabilities): Connection {
    const conversation = new Conversation(this.#unattributed);
    const ended = new AbortController();
    const { standing: shared } = this.#options;
    const standing = shared?.connections.open(shared.holderOf(key), () => void this.closeSession(key));
    const connection: Connection = {
      conversation,
      channel: this.#initialized(key, conversation, capabilities),
      standing,
      ended: ended.signal,
      uses: 0,
    };
    this.#connections.set(key, connection);
    const forget = (): void => {
      standing?.end();
      if (this.#connections.get(key) === connection) this.#connections.delete(key);
      this.#following.of(key).closed(conversation);
      this.#following.tidy(key);
      ended.abort();
    };
    connection.channel.then((channel) => void channel.closed.then(forget), forget);
    return connection;
  }

  async #initialized(key: string, conversation: Conversation, declared: ClientCapabilities): Promise<MessageChannel> {
    const opening = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(this.#limits.connectMs)]);
    const channel = await this.#options.open(key)(conversation, opening);
    conversation.attach(channel);
    try {
      const params = {
        protocolVersion: NEWEST_LEGACY_VERSION,
        capabilities: readClientCapabilities(declared),
        clientInfo: { ...this.#options.clientInfo },
      };
      conversation.offers = readKnown(
        await conversation.request("initialize", params, silentPeer(this.#closing.signal), this.#limits.headersMs),
      );
      await conversation.notify("notifications/initialized");
      const followers = this.#following.of(key);
      followers.capabilities = declared;
      followers.opened(conversation);
      return channel;
    } catch (thrown) {
      await channel.close();
      throw thrown;
    }
  }
}

function readKnown({ protocolVersion, capabilities }: JsonObject): Offers {
  if (!isServerVersion(protocolVersion))
    throw protocolFault(`the tool server speaks none of the MCP versions ${SERVER_VERSIONS.join(", ")}`);
  if (!isJsonObject(capabilities)) throw protocolFault("the tool server named no capabilities");
  return readOffers(capabilities, protocolVersion);
}
