import { CmcpError } from "@cmcp/boundary";
import type { CatalogServer } from "@cmcp/catalog";
import { SUBSCRIPTION_ACKNOWLEDGED } from "@cmcp/mcp";
import type { Core } from "../boot/core.ts";
import type { RecordedSession } from "../record/recorded-session.ts";
import { reportFault } from "../instance/report-fault.ts";
import type { OnBehalfOf } from "./upstreams.ts";

/** Resources one session may follow. */
const MAX_FOLLOWED = 256;
/** Streams on which servers on the network tell of resources, one for each session and server: in all, and of one principal. */
export const MAX_FOLLOWED_STREAMS = 64;
const MAX_STREAMS_PER_PRINCIPAL = 32;

/** Why a resource is followed. */
interface Reasons {
  /** The session has subscribed to it: once or more often is the same (MCP, Resources, "Subscriptions"). */
  subscribed: boolean;
  /** The agent's streams that name it. */
  readonly streams: Set<AbortSignal>;
}

/** What one session follows at one server, and the streams that tell of it: two while the second is to take the place of the first. */
interface Followed {
  readonly server: CatalogServer;
  readonly principalId: string;
  readonly uris: Map<string, Reasons>;
  streams: AbortController[];
}

/** The resources that sessions follow; for each session and server one stream, opened anew when what is followed changes. */
export class Subscriptions {
  readonly #core: () => Core;
  readonly #sessions = new Map<string, Map<string, Followed>>();

  /** @param core known only once it is built */
  constructor(core: () => Core) {
    this.#core = core;
  }

  /** Resources followed by all sessions together. */
  get size(): number {
    return [...this.#sessions.values()]
      .flatMap((servers) => [...servers.values()])
      .reduce((sum, { uris }) => sum + uris.size, 0);
  }

  /** Streams to servers on the network: each is a connection of the host's relay while something is followed on it. */
  get streams(): number {
    return this.#networked().length;
  }

  /** What one session follows at one server. */
  of(recorded: RecordedSession, server: CatalogServer): readonly string[] {
    return [...(this.#sessions.get(recorded.session.id)?.get(server.identity)?.uris.keys() ?? [])];
  }

  /** Follows a resource until it is {@link remove}d. @throws CmcpError `OVERLOADED` */
  add(recorded: RecordedSession, server: CatalogServer, uri: string): void {
    this.#reasons(recorded, server, uri).subscribed = true;
  }

  /** The session gives a resource up; streams that name it go on to hear of it. */
  remove(recorded: RecordedSession, server: CatalogServer, uri: string): void {
    this.#withdraw(recorded, server, uri, (reasons) => (reasons.subscribed = false));
  }

  /** What was {@link add}ed for a stream is that stream's, and followed until it ends. @throws CmcpError `OVERLOADED` */
  handOver(recorded: RecordedSession, server: CatalogServer, uri: string, stream: AbortSignal): void {
    const reasons = this.#reasons(recorded, server, uri);
    reasons.streams.add(stream);
    reasons.subscribed = false;
    const ended = (): void => this.#withdraw(recorded, server, uri, ({ streams }) => streams.delete(stream));
    stream.addEventListener("abort", ended, { once: true });
    if (stream.aborted) ended();
  }

  /** Ends everything a session follows. */
  forget(sessionId: string): void {
    for (const followed of this.#sessions.get(sessionId)?.values() ?? []) end(followed.streams.splice(0));
    this.#sessions.delete(sessionId);
  }

  /** Why a resource is followed, which it is from now on. @throws CmcpError `OVERLOADED` */
  #reasons({ session }: RecordedSession, server: CatalogServer, uri: string): Reasons {
    const servers = this.#sessions.get(session.id) ?? new Map<string, Followed>();
    const open = servers.get(server.identity);
    const followed = open ?? {
      server,
      principalId: session.principalId,
      uris: new Map<string, Reasons>(),
      streams: [],
    };
    const known = followed.uris.get(uri);
    if (known !== undefined) return known;
    if (open === undefined) this.#requireRoom(server, session.principalId);
    if ([...servers.values()].reduce((sum, { uris }) => sum + uris.size, 0) >= MAX_FOLLOWED)
      throw new CmcpError("OVERLOADED", `a session may follow ${MAX_FOLLOWED} resources`);
    const reasons: Reasons = { subscribed: false, streams: new Set() };
    followed.uris.set(uri, reasons);
    servers.set(server.identity, followed);
    this.#sessions.set(session.id, servers);
    this.#reopen(session, followed);
    return reasons;
  }

  /** A stdio server tells on the channel that it has anyway; any other on a connection that calls would else have. @throws CmcpError `OVERLOADED` */
  #requireRoom(server: CatalogServer, principalId: string): void {
    if (server.transport === "stdio") return;
    const open = this.#networked();
    if (open.length >= MAX_FOLLOWED_STREAMS)
      throw new CmcpError("OVERLOADED", `servers tell of resources on ${MAX_FOLLOWED_STREAMS} streams at a time`);
    if (open.filter((stream) => stream.principalId === principalId).length >= MAX_STREAMS_PER_PRINCIPAL) {
      throw new CmcpError(
        "OVERLOADED",
        `a principal's sessions may follow resources on ${MAX_STREAMS_PER_PRINCIPAL} streams of servers at a time`,
      );
    }
  }

  #networked(): Followed[] {
    return [...this.#sessions.values()]
      .flatMap((servers) => [...servers.values()])
      .filter(({ server }) => server.transport !== "stdio");
  }

  /** Takes a reason back; without any the resource is followed no more. */
  #withdraw({ session }: RecordedSession, server: CatalogServer, uri: string, take: (reasons: Reasons) => void): void {
    const followed = this.#sessions.get(session.id)?.get(server.identity);
    const reasons = followed?.uris.get(uri);
    if (followed === undefined || reasons === undefined) return;
    take(reasons);
    if (reasons.subscribed || reasons.streams.size > 0) return;
    followed.uris.delete(uri);
    this.#reopen(session, followed);
    this.#core().upstreams.unfollow(server, session, uri).catch(reportFault);
  }

  #reopen(session: OnBehalfOf, followed: Followed): void {
    const { server, streams, uris } = followed;
    const { upstreams, listeners } = this.#core();
    if (uris.size === 0) {
      end(streams.splice(0));
      this.#sessions.get(session.id)?.delete(server.identity);
      return;
    }
    if (streams.length > 0 && upstreams.tellsOnOneStream(server)) return;
    // Over HTTP what a server says between two streams would be lost, so the first ends when the second is there; one that is not
    // there yet is out of date. On a channel both are the same.
    end(streams.splice(server.transport === "streamable-http" ? 1 : 0));
    const stream = new AbortController();
    streams.push(stream);
    upstreams
      .follow(
        server,
        session,
        () => [...uris.keys()],
        (method, params) => {
          if (method === SUBSCRIPTION_ACKNOWLEDGED && streams[1] === stream) end(streams.splice(0, 1));
          // A server may only speak of what it was asked about.
          if (method === "notifications/resources/updated" && typeof params.uri === "string" && uris.has(params.uri))
            listeners.resourceUpdated(session.id, params.uri);
        },
        stream.signal,
      )
      // A server that offers no such stream is asked again when something else is followed.
      .then(() => streams.splice(0, streams.length, ...streams.filter((other) => other !== stream)))
      .catch(reportFault);
  }
}

function end(streams: readonly AbortController[]): void {
  for (const stream of streams) stream.abort();
}
