import type { Duplex } from "node:stream";
import { CmcpError, type BufferedBytes, type JsonObject } from "@cmcp/boundary";
import type { Consents, SigningPair } from "@cmcp/oauth";
import type { CatalogServer, RemoteServer } from "@cmcp/catalog";
import {
  ChannelClient,
  LongLivedConnections,
  UpstreamClient,
  httpSse,
  legacyServerPeer,
  type Upstream,
  type ListKind,
  type NotificationHandler,
  type Peer,
  type UpstreamAnswer,
  type UpstreamLimits,
  type UpstreamLoad,
  type UpstreamOptions,
  type UpstreamRequest,
  type UpstreamTls,
} from "@cmcp/mcp";
import { Authorizations } from "./authorizations.ts";
import type { Credentials } from "./credentials.ts";
import type { ServerFaults } from "./server-faults.ts";
import { chainTrust, type ServerRoots } from "./server-roots.ts";
import { RecentMap } from "./recent-map.ts";
import { definitionOf } from "./server-definition.ts";
import { callerKey, holderIn, isPerCaller, keyOf, type SessionRef } from "./server-session.ts";
import type { StdioServers } from "./stdio/servers.ts";
import { StdioUpstream } from "./stdio/upstream.ts";
import type { ClientCertificate } from "../instance/client-certificate.ts";
import { GATEWAY_VERSION } from "../instance/version.ts";

type EvidenceClass = CatalogServer["evidenceClass"] | "attested";
type Dial = (host: string, port: number, signal: AbortSignal) => Promise<Duplex>;

/** What {@link Upstreams} need. */
export interface UpstreamsOptions {
  readonly dial: Dial;
  readonly stdio: Pick<StdioServers, "processes" | "indexOf" | "evidenceOf" | "detailOf" | "close">;
  readonly credentials: Pick<Credentials, "value">;
  readonly buffered: BufferedBytes;
  readonly limits: Partial<UpstreamLimits>;
  /** Milliseconds since 1970, for the dates of servers' certificates. */
  readonly now: () => number;
  /** What vouches for servers that are not known by their own key. */
  readonly roots: Pick<ServerRoots, "of">;
  /** What servers whose settings say so are shown; `null` where none does. */
  readonly clientCertificate: ClientCertificate | null;
  /** What the gateway proves itself by to authorization servers that know no secret of it; `null` where none is asked. */
  readonly clientKey: SigningPair | null;
  readonly monotonic: () => number;
  readonly consents: Consents;
  /** Learns from every use of a server whether it works. */
  readonly faults: Pick<ServerFaults, "observe">;
  /** Origin of the gateway's public URL; `null` where the configuration says none. */
  readonly publicOrigin: string | null;
}

/** The subscriptions of a session at a server, and who gets the updates. */
export interface UpdateListener {
  /** The URIs, read whenever a stream is opened. */
  readonly uris: () => readonly string[];
  readonly notified: NotificationHandler;
  readonly signal: AbortSignal;
}

/** A new subscription. */
export interface NewSubscription {
  readonly request: UpstreamRequest;
  /** The session's other subscriptions at the server. */
  readonly followed: readonly string[];
}

/** Most clients of servers whose tokens are each caller's own; one that nobody uses gives way. Tokens are kept elsewhere. */
const MAX_CALLER_CLIENTS = 1_024;

/** The era of a server, if the catalog fixes it. */
function eraOf({ settings }: RemoteServer): Pick<UpstreamOptions, "era"> {
  return settings === undefined || settings.era === "auto" ? {} : { era: settings.era };
}

interface OpenedClient {
  readonly server: CatalogServer;
  readonly client: Upstream;
  /** Ends the streams that listen. */
  readonly ending: AbortController;
}

/** One client for each definition of a tool server, created on first use. */
export class Upstreams {
  readonly #options: UpstreamsOptions;
  readonly #clients = new Map<string, OpenedClient>();
  readonly #callerClients = new RecentMap<OpenedClient>(MAX_CALLER_CLIENTS, ({ client }) => client.load.requests > 0);
  readonly #closing = new AbortController();
  /** Connections of servers whose sessions each hold a stream. */
  readonly #standing = new LongLivedConnections();
  readonly #authorizations: Authorizations;

  constructor(options: UpstreamsOptions) {
    this.#options = options;
    const { dial, credentials, clientKey, now, monotonic, consents, publicOrigin } = options;
    this.#authorizations = new Authorizations({
      dial,
      credentials,
      clientKey,
      now,
      monotonic,
      consents,
      publicOrigin,
      tlsOf: (server) => this.#tlsOf(server),
      closing: this.#closing.signal,
    });
  }

  /** The load of all servers together. */
  get load(): UpstreamLoad {
    const loads = this.#all().map(({ client }) => client.load);
    const total = (of: keyof UpstreamLoad): number => loads.reduce((sum, load) => sum + load[of], 0);
    return { requests: total("requests"), streams: total("streams"), unattributed: total("unattributed") };
  }

  /** Sends a request for one session. Errors say in `detail.sent` whether the request may have reached the server. */
  async request(
    server: CatalogServer,
    session: SessionRef,
    request: UpstreamRequest,
    peer: Peer,
  ): Promise<UpstreamAnswer> {
    // Channels speak the legacy era only. Over HTTP the client detects the era.
    const understood = server.transport === "streamable-http" ? peer : legacyServerPeer(peer);
    return await this.#observe(
      server,
      async () => await this.#client(server, session).request(keyOf(server, session), request, understood),
    );
  }

  /** Reads a live list of a server, in the gateway's own session, or in a caller's where tokens are each caller's own. */
  async list(
    server: CatalogServer,
    kind: ListKind,
    signal: AbortSignal,
    session: SessionRef | null = null,
  ): Promise<JsonObject[]> {
    const own = isPerCaller(server) ? session : null;
    return await this.#observe(
      server,
      async () => await this.#client(server, own).list(keyOf(server, own), kind, signal),
    );
  }

  /** Listens for list changes of a server until the client is closed. Never throws. */
  async watch(server: CatalogServer, notified: NotificationHandler): Promise<void> {
    const { client, ending } = this.#opened(server);
    await client.listen(
      keyOf(server, null),
      { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true, resourceSubscriptions: [] },
      notified,
      AbortSignal.any([ending.signal, this.#closing.signal]),
    );
  }

  /**
   * Subscribes a session to a resource at its server.
   * @throws CmcpError `UPSTREAM_CALL_REFUSED` if the server refuses; otherwise as {@link request}
   */
  async subscribe(
    server: CatalogServer,
    session: SessionRef,
    { request, followed }: NewSubscription,
    peer: Peer,
  ): Promise<void> {
    if (isPerCaller(server))
      throw new CmcpError("NOT_SUPPORTED", "a server whose tokens are each caller's own has no subscriptions", {
        detail: { sent: 0 },
      });
    await this.#observe(server, async () => {
      const client = this.#client(server);
      if (client instanceof UpstreamClient) await client.subscribe(keyOf(server, session), request, followed, peer);
      else await client.request(keyOf(server, session), request, peer);
    });
  }

  /** Whether a server sends all updates of a session on one stream and refuses a second one, as over HTTP in the legacy era. */
  usesOneStream(server: CatalogServer): boolean {
    const client = this.#client(server);
    return client instanceof UpstreamClient && client.era === "legacy";
  }

  /** Listens for updates of the resources that a session subscribes to. Never throws. */
  async follow(server: CatalogServer, session: SessionRef, { uris, notified, signal }: UpdateListener): Promise<void> {
    // A getter, so that a reopened stream has the present subscriptions.
    const filter = {
      toolsListChanged: false,
      promptsListChanged: false,
      resourcesListChanged: false,
      get resourceSubscriptions() {
        return uris();
      },
    };
    const { client, ending } = this.#opened(server);
    await client.listen(
      keyOf(server, session),
      filter,
      notified,
      AbortSignal.any([signal, ending.signal, this.#closing.signal]),
    );
  }

  /** Ends the session's MCP sessions on every server that it used. Failures are ignored. */
  async closeSession(session: SessionRef): Promise<void> {
    await Promise.allSettled(this.#all().map(({ server, client }) => client.closeSession(keyOf(server, session))));
  }

  /** Unsubscribes a session from a resource at its server. Never throws. */
  async unfollow(server: CatalogServer, session: SessionRef, uri: string): Promise<void> {
    await this.#client(server).unsubscribe(keyOf(server, session), uri);
  }

  /** The evidence class of a server, for entries. */
  evidenceOf(server: CatalogServer): EvidenceClass {
    return server.transport === "stdio" ? this.#options.stdio.evidenceOf(server) : server.evidenceClass;
  }

  /** What entries say of a server, and of the grant that requests to it have; nothing where there is neither. */
  detailOf(server: CatalogServer, session: SessionRef): Readonly<Record<string, string>> {
    if (server.transport === "stdio") return this.#options.stdio.detailOf(server);
    return server.transport === "gateway" ? {} : this.#authorizations.detailOf(server, session);
  }

  /**
   * Closes the clients of servers that the catalog does not have, and drops the tokens for them. Processes of a stdio server
   * end after their idle time. Never throws.
   */
  async closeServers(servers: readonly CatalogServer[]): Promise<void> {
    const closing = new Set(servers.map(definitionOf));
    const isClosing = ({ server }: OpenedClient): boolean => closing.has(definitionOf(server));
    const clients = this.#all().filter(isClosing);
    for (const definition of closing) this.#clients.delete(definition);
    for (const [key, opened] of this.#callerClients.entries()) if (isClosing(opened)) this.#callerClients.delete(key);
    for (const server of servers) if ("url" in server) this.#authorizations.forget(server);
    for (const { ending } of clients) ending.abort();
    // The client of a stdio server shares its processes with every other.
    const remote = clients.filter(({ server }) => server.transport !== "stdio");
    await Promise.allSettled(remote.map(({ client }) => client.close()));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#all().map(({ client }) => client.close()));
    await this.#options.stdio.close();
  }

  /** Uses a server. Where tokens are each caller's own, a failure may be the caller's alone, and says nothing of the server. */
  async #observe<T>(server: CatalogServer, use: () => Promise<T>): Promise<T> {
    return isPerCaller(server) ? await use() : await this.#options.faults.observe(server, use);
  }

  #client(server: CatalogServer, session: SessionRef | null = null): Upstream {
    return this.#opened(server, session).client;
  }

  #opened(server: CatalogServer, session: SessionRef | null = null): OpenedClient {
    if (isPerCaller(server) && session !== null) return this.#ofCaller(server, session);
    const known = this.#clients.get(definitionOf(server));
    if (known !== undefined) return known;
    const opened = { server, client: this.#open(server, session), ending: new AbortController() };
    this.#clients.set(definitionOf(server), opened);
    return opened;
  }

  #ofCaller(server: CatalogServer, session: SessionRef): OpenedClient {
    const key = `${definitionOf(server)} ${callerKey(session)}`;
    const known = this.#callerClients.get(key);
    if (known !== undefined) return known;
    const opened = { server, client: this.#open(server, session), ending: new AbortController() };
    const idle = this.#callerClients.set(key, opened);
    if (idle === "full")
      throw new CmcpError("OVERLOADED", "too many callers with tokens of their own wait for answers", {
        detail: { sent: 0 },
      });
    idle?.client.close().catch(() => undefined);
    return opened;
  }

  /** Clients of all servers. */
  #all(): OpenedClient[] {
    return [...this.#clients.values(), ...Array.from(this.#callerClients.entries(), ([, opened]) => opened)];
  }

  #credentialOf(
    server: RemoteServer,
    session: SessionRef | null,
  ): Pick<UpstreamOptions, "credential" | "authorization"> {
    const { credential: name = null, authorization: settings = null } = server.settings ?? {};
    if (settings === null) return name === null ? {} : { credential: () => this.#options.credentials.value(name) };
    const authorizations = this.#authorizations;
    return {
      authorization: {
        headers: async (request) => await (await authorizations.of(server, settings, session)).headers(request),
        answered: (answer) => authorizations.known(server, session)?.answered(answer) ?? null,
      },
    };
  }

  #tlsOf({ trust, settings }: Pick<RemoteServer, "trust" | "settings">): UpstreamTls {
    if (trust === null) return { mode: "none" };
    const { clientCertificate, now, roots } = this.#options;
    const client = settings?.clientCertificate === true ? clientCertificate : null;
    const connection = { now, ...(client === null ? {} : { client }) };
    return trust.kind === "pinned"
      ? { mode: "pinned", spkiSha256: trust.spkiSha256, ...connection }
      : { mode: "chain", ...chainTrust(trust, roots), ...connection };
  }

  #open(server: CatalogServer, session: SessionRef | null): Upstream {
    const clientInfo = { name: "cmcp-gateway", version: GATEWAY_VERSION };
    if (server.transport === "gateway") throw new CmcpError("INTERNAL", "the gateway is no server to connect to");
    if (server.transport === "stdio")
      return new StdioUpstream({
        processes: this.#options.stdio.processes,
        index: this.#options.stdio.indexOf(server),
        clientInfo,
        limits: this.#options.limits,
        dial: this.#options.dial,
      });
    const options: UpstreamOptions = {
      url: server.url,
      dial: this.#options.dial,
      tls: this.#tlsOf(server),
      clientInfo,
      limits: this.#options.limits,
      buffered: this.#options.buffered,
      ...eraOf(server),
      ...this.#credentialOf(server, session),
    };
    if (server.transport === "streamable-http") return new UpstreamClient(options);
    const open = httpSse(options, this.#closing.signal);
    return new ChannelClient({
      open: () => open,
      clientInfo,
      limits: this.#options.limits,
      standing: { connections: this.#standing, holderOf: holderIn },
    });
  }
}
