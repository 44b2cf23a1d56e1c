import { CmcpError, SharedSlots } from "@cmcp/boundary";
import type { CatalogServer } from "@cmcp/catalog";
import { SUBSCRIPTION_ACKNOWLEDGED } from "@cmcp/mcp";
import { reportFault } from "../instance/stderr-events.ts";
import type { UpdateListener, SessionRef, Upstreams } from "./upstreams.ts";

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
interface ServerSubscriptions {
  readonly server: CatalogServer;
  readonly uris: Map<string, Reasons>;
  streams: AbortController[];
  /** Gives its slot back. */
  readonly releaseSlot: () => void;
}

/** Who hears that a resource changed, by its session. */
export interface ResourceListeners {
  resourceUpdated(sessionId: string, uri: string): void;
}

/** A resource that a session follows. */
export interface FollowedResource {
  readonly server: CatalogServer;
  readonly uri: string;
}

const NO_SLOT = (): void => undefined;

/** The resources that sessions follow; for each session and server one stream, opened anew when what is followed changes. */
export class Subscriptions {
  readonly #upstreams: Pick<Upstreams, "follow" | "unfollow" | "usesOneStream">;
  readonly #listeners: ResourceListeners;
  readonly #sessions = new Map<string, Map<string, ServerSubscriptions>>();
  readonly #slots = new SharedSlots(MAX_FOLLOWED_STREAMS, MAX_STREAMS_PER_PRINCIPAL);

  constructor(upstreams: Pick<Upstreams, "follow" | "unfollow" | "usesOneStream">, listeners: ResourceListeners) {
    this.#upstreams = upstreams;
    this.#listeners = listeners;
  }

  /** Resources followed by all sessions together. */
  get size(): number {
    return [...this.#sessions.values()]
      .flatMap((servers) => [...servers.values()])
      .reduce((sum, { uris }) => sum + uris.size, 0);
  }

  /** Streams to servers on the network: each is a connection of the host's relay while something is followed on it. */
  get streams(): number {
    return this.#slots.taken;
  }

  /** What one session follows at one server. */
  followedUris(session: SessionRef, server: CatalogServer): readonly string[] {
    return [...(this.#sessions.get(session.id)?.get(server.identity)?.uris.keys() ?? [])];
  }

  /** Follows a resource until it is {@link remove}d. @throws CmcpError `OVERLOADED` */
  add(session: SessionRef, server: CatalogServer, uri: string): void {
    this.#reasons(session, server, uri).subscribed = true;
  }

  /** The session gives a resource up; streams that name it go on to hear of it. */
  remove(session: SessionRef, server: CatalogServer, uri: string): void {
    this.#withdraw(session, { server, uri }, (reasons) => (reasons.subscribed = false));
  }

  /** What was {@link add}ed for a stream is that stream's, and followed until it ends. @throws CmcpError `OVERLOADED` */
  assignToStream(session: SessionRef, followed: FollowedResource, stream: AbortSignal): void {
    const reasons = this.#reasons(session, followed.server, followed.uri);
    reasons.streams.add(stream);
    reasons.subscribed = false;
    const ended = (): void => this.#withdraw(session, followed, ({ streams }) => streams.delete(stream));
    stream.addEventListener("abort", ended, { once: true });
    if (stream.aborted) ended();
  }

  /** Ends everything a session follows. */
  forget(sessionId: string): void {
    for (const { streams, releaseSlot } of this.#sessions.get(sessionId)?.values() ?? []) {
      end(streams.splice(0));
      releaseSlot();
    }
    this.#sessions.delete(sessionId);
  }

  /** Why a resource is followed, which it is from then on. @throws CmcpError `OVERLOADED` */
  #reasons(session: SessionRef, server: CatalogServer, uri: string): Reasons {
    const servers = this.#sessions.get(session.id) ?? new Map<string, ServerSubscriptions>();
    const open = servers.get(server.identity);
    const known = open?.uris.get(uri);
    if (known !== undefined) return known;
    if ([...servers.values()].reduce((sum, { uris }) => sum + uris.size, 0) >= MAX_FOLLOWED)
      throw new CmcpError("OVERLOADED", `a session may follow ${MAX_FOLLOWED} resources`);
    const followed = open ?? {
      server,
      uris: new Map<string, Reasons>(),
      streams: [],
      releaseSlot: this.#slot(server, session.principalId),
    };
    const reasons: Reasons = { subscribed: false, streams: new Set() };
    followed.uris.set(uri, reasons);
    servers.set(server.identity, followed);
    this.#sessions.set(session.id, servers);
    this.#reopen(session, followed);
    return reasons;
  }

  /** A stdio server tells on the channel that it has anyway; any other on a connection that calls would else have. @throws CmcpError `OVERLOADED` */
  #slot(server: CatalogServer, principalId: string): () => void {
    return server.transport === "stdio"
      ? NO_SLOT
      : this.#slots.take(principalId, "streams on which servers tell of resources");
  }

  /** Takes a reason back; without any the resource is not followed. */
  #withdraw(session: SessionRef, { server, uri }: FollowedResource, take: (reasons: Reasons) => void): void {
    const followed = this.#sessions.get(session.id)?.get(server.identity);
    const reasons = followed?.uris.get(uri);
    if (followed === undefined || reasons === undefined) return;
    take(reasons);
    if (reasons.subscribed || reasons.streams.size > 0) return;
    followed.uris.delete(uri);
    this.#reopen(session, followed);
    this.#upstreams.unfollow(server, session, uri).catch(reportFault);
  }

  #reopen(session: SessionRef, followed: ServerSubscriptions): void {
    const { server, streams, uris } = followed;
    if (uris.size === 0) {
      end(streams.splice(0));
      followed.releaseSlot();
      this.#sessions.get(session.id)?.delete(server.identity);
      return;
    }
    if (streams.length > 0 && this.#upstreams.usesOneStream(server)) return;
    // Over HTTP what a server says between two streams would be lost, so the first ends when the second is there; one that is not
    // there yet is out of date. On a channel both are the same.
    end(streams.splice(server.transport === "streamable-http" ? 1 : 0));
    const stream = new AbortController();
    streams.push(stream);
    this.#upstreams
      .follow(server, session, this.#heard(session, followed, stream))
      // A server that offers no such stream is asked again when something else is followed.
      .then(() => streams.splice(0, streams.length, ...streams.filter((other) => other !== stream)))
      .catch(reportFault);
  }

  #heard({ id }: SessionRef, { streams, uris }: ServerSubscriptions, stream: AbortController): UpdateListener {
    return {
      uris: () => [...uris.keys()],
      notified: (method, params) => {
        if (method === SUBSCRIPTION_ACKNOWLEDGED && streams[1] === stream) end(streams.splice(0, 1));
        // A server may only speak of what it was asked about.
        if (method === "notifications/resources/updated" && typeof params.uri === "string" && uris.has(params.uri))
          this.#listeners.resourceUpdated(id, params.uri);
      },
      signal: stream.signal,
    };
  }
}

function end(streams: readonly AbortController[]): void {
  for (const stream of streams) stream.abort();
}
