import { CmcpError, type JsonObject } from "@cmcp/boundary";
import {
  ChannelClient,
  ListenerRegistry,
  readMessages,
  type Dial,
  type ListKind,
  type ListenFilter,
  type NotificationHandler,
  type OpenChannel,
  type Peer,
  type Upstream,
  type UpstreamAnswer,
  type UpstreamLimits,
  type UpstreamLoad,
  type UpstreamRequest,
} from "@cmcp/mcp";
import { MAX_MESSAGE_BYTES, type ProcessUse, type StdioChannel, type StdioProcesses } from "@cmcp/spawner";
import { ProcessEgress } from "./process-egress.ts";

export interface StdioUpstreamOptions {
  readonly processes: StdioProcesses;
  /** The server's index in the spawner's table. */
  readonly index: number;
  readonly clientInfo: { readonly name: string; readonly version: string };
  readonly limits: Partial<UpstreamLimits>;
  /** Connects to hosts for servers with a way out. */
  readonly dial: Dial;
}

function overChannel(channel: StdioChannel, heard: () => void): OpenChannel {
  return async (receiver) => {
    channel.onMessage(async (bytes) => {
      heard();
      for (const message of readMessages(bytes, MAX_MESSAGE_BYTES, receiver.batches)) await receiver.received(message);
    });
    return {
      send: async (text, { signal }) => await channel.send(Buffer.from(text), signal),
      closed: channel.closed,
      close: async () => await channel.close(),
    };
  };
}

/** The error of a process that ended under a request; any other as it is. */
function exited(thrown: unknown, heard: boolean): unknown {
  if (!(thrown instanceof CmcpError) || thrown.code !== "UPSTREAM_UNAVAILABLE") return thrown;
  if (heard)
    return new CmcpError(thrown.code, thrown.message, {
      cause: thrown,
      detail: { ...thrown.detail, reason: "exited" },
    });
  return new CmcpError(thrown.code, "the stdio server ended before it answered anything", {
    cause: thrown,
    detail: { ...thrown.detail, reason: "exited-at-start" },
  });
}

/**
 * A stdio server: one process with one MCP session for each key, which names a principal. Listeners stay when a process ends, and listen to
 * the next one.
 */
export class StdioUpstream implements Upstream {
  readonly #options: StdioUpstreamOptions;
  readonly #clients = new WeakMap<StdioChannel, ChannelClient>();
  readonly #egresses = new WeakMap<StdioChannel, ProcessEgress>();
  /** Channels on which the server has said something. */
  readonly #heard = new WeakSet<StdioChannel>();
  readonly #following = new ListenerRegistry();
  readonly #unattributed = { count: 0 };
  #running = 0;

  constructor(options: StdioUpstreamOptions) {
    this.#options = options;
  }

  /** Processes do not count as streams. The spawner counts them. */
  get load(): UpstreamLoad {
    return { requests: this.#running, streams: 0, unattributed: this.#unattributed.count };
  }

  async request(key: string, request: UpstreamRequest, peer: Peer): Promise<UpstreamAnswer> {
    this.#running += 1;
    try {
      return await this.#use(key, async (client, egress) => {
        if (egress === null) return await client.request(key, request, peer);
        return await egress.during(peer.egress, async () => await client.request(key, request, peer));
      });
    } finally {
      this.#running -= 1;
    }
  }

  async list(key: string, kind: ListKind, signal: AbortSignal): Promise<JsonObject[]> {
    return await this.#use(key, async (client) => await client.list(key, kind, signal));
  }

  async listen(key: string, filter: ListenFilter, notified: NotificationHandler, signal: AbortSignal): Promise<void> {
    await this.#following.follow(key, { filter, notified, signal }, () =>
      this.#use(key, async (client) => await client.attend(key, signal), "listener"),
    );
  }

  /** Does nothing: the listeners know the subscriptions. */
  async unsubscribe(): Promise<void> {}

  /** Does nothing: a process serves all sessions of its principal, and ends after its idle time. */
  async closeSession(): Promise<void> {}

  async close(): Promise<void> {
    await this.#options.processes.close();
  }

  async #use<T>(
    key: string,
    work: (client: ChannelClient, egress: ProcessEgress | null) => Promise<T>,
    use: ProcessUse = "request",
  ): Promise<T> {
    const { processes, index } = this.#options;
    const identity = { principal: key, server: index };
    const onChannel = async (channel: StdioChannel): Promise<T> => {
      try {
        return await work(this.#client(channel), this.#egress(channel));
      } catch (thrown) {
        throw exited(thrown, this.#heard.has(channel));
      }
    };
    return await processes.use(identity, onChannel, use);
  }

  /** The way out of a process; `null` for a server without one. */
  #egress(channel: StdioChannel): ProcessEgress | null {
    const { egress: open, closed } = channel;
    if (open === null) return null;
    const known = this.#egresses.get(channel) ?? new ProcessEgress({ open, dial: this.#options.dial, closed });
    this.#egresses.set(channel, known);
    return known;
  }

  /** The client of a channel. A new channel is a new process, so it gets a new client. */
  #client(channel: StdioChannel): ChannelClient {
    const known = this.#clients.get(channel);
    if (known !== undefined) return known;
    const { clientInfo, limits } = this.#options;
    const client = new ChannelClient({
      open: () => overChannel(channel, () => this.#heard.add(channel)),
      clientInfo,
      limits,
      following: this.#following,
      unattributed: this.#unattributed,
    });
    this.#clients.set(channel, client);
    return client;
  }
}
