import { CmcpError, SharedSlots } from "@cmcp/boundary";
import type { CatalogServer } from "@cmcp/catalog";
import { SUBSCRIPTION_ACKNOWLEDGED } from "@cmcp/mcp";
import { reportFault } from "../instance/stderr-events.ts";
import { definitionOf } from "./server-definition.ts";
import type { SessionRef } from "./server-session.ts";
import type { UpdateListener, Upstreams } from "./upstreams.ts";

/** Most subscriptions of one session. */
const MAX_FOLLOWED = 256;
/** Most streams for resource updates from network servers, in all and of one principal. Each session has one for each server. */
export const MAX_FOLLOWED_STREAMS = 64;
const MAX_STREAMS_PER_PRINCIPAL = 32;

/** Who needs the updates of a resource. */
interface Reasons {
  /** Whether the session has subscribed. Subscribing twice is the same as once (MCP, Resources, "Subscriptions"). */
  subscribed: boolean;
  /** The agent's streams that name the resource. */
  readonly streams: Set<AbortSignal>;
}

/** The subscriptions of one session at one server, and their update streams. There are two streams while the second replaces the first. */
interface ServerSubscriptions {
  readonly session: SessionRef;
  readonly server: CatalogServer;
  readonly uris: Map<string, Reasons>;
  streams: AbortController[];
  /** Gives its slot back. */
  readonly releaseSlot: () => void;
}

/** Where updates go. */
export interface ResourceListeners {
  resourceUpdated(sessionId: string, uri: string): void;
}

/** A resource of a server. */
export interface FollowedResource {
  readonly server: CatalogServer;
  readonly uri: string;
}

const NO_SLOT = (): void => undefined;

/**
 * The subscriptions of all sessions. Each session has one update stream for each server, which is reopened when its
 * subscriptions change.
 */
export class Subscriptions {
  readonly #upstreams: Pick<Upstreams, "follow" | "unfollow" | "usesOneStream">;
  readonly #listeners: ResourceListeners;
  readonly #sessions = new Map<string, Map<string, ServerSubscriptions>>();
  readonly #slots = new SharedSlots(MAX_FOLLOWED_STREAMS, MAX_STREAMS_PER_PRINCIPAL);

  constructor(upstreams: Pick<Upstreams, "follow" | "unfollow" | "usesOneStream">, listeners: ResourceListeners) {
    this.#upstreams = upstreams;
    this.#listeners = listeners;
  }

  /** Number of subscriptions of all sessions. */
  get size(): number {
    return [...this.#sessions.values()]
      .flatMap((servers) => [...servers.values()])
      .reduce((sum, { uris }) => sum + uris.size, 0);
  }

  /** Number of update streams from network servers. Each is a connection of the host's relay. */
  get streams(): number {
    return this.#slots.taken;
  }

  /** The URIs that a session subscribes to at a server. */
  followedUris(session: SessionRef, server: CatalogServer): readonly string[] {
    return [...(this.#sessions.get(session.id)?.get(definitionOf(server))?.uris.keys() ?? [])];
  }

  /** Adds a subscription until {@link remove}. @throws CmcpError `OVERLOADED` */
  add(session: SessionRef, server: CatalogServer, uri: string): void {
    this.#reasons(session, server, uri).subscribed = true;
  }

  /** Removes the session's subscription. Streams that name the resource still get updates. */
  remove(session: SessionRef, server: CatalogServer, uri: string): void {
    this.#withdraw(session, { server, uri }, (reasons) => (reasons.subscribed = false));
  }

  /** Assigns an {@link add}ed subscription to a stream, until the stream ends. @throws CmcpError `OVERLOADED` */
  assignToStream(session: SessionRef, followed: FollowedResource, stream: AbortSignal): void {
    const reasons = this.#reasons(session, followed.server, followed.uri);
    reasons.streams.add(stream);
    reasons.subscribed = false;
    const ended = (): void => this.#withdraw(session, followed, ({ streams }) => streams.delete(stream));
    stream.addEventListener("abort", ended, { once: true });
    if (stream.aborted) ended();
  }

  /** Removes all subscriptions of a session. */
  forget(sessionId: string): void {
    for (const { streams, releaseSlot } of this.#sessions.get(sessionId)?.values() ?? []) {
      end(streams.splice(0));
      releaseSlot();
    }
    this.#sessions.delete(sessionId);
  }

  /** Removes the subscriptions that are not to be kept, and says so to their servers. */
  keepOnly(keeps: (server: CatalogServer, uri: string) => boolean): void {
    const all = [...this.#sessions.values()].flatMap((servers) => [...servers.values()]);
    for (const { session, server, uris } of all)
      for (const uri of [...uris.keys()].filter((one) => !keeps(server, one)))
        this.#withdraw(session, { server, uri }, (reasons) => {
          reasons.subscribed = false;
          reasons.streams.clear();
        });
  }

  /** The reasons of a subscription, which is added if it does not exist. @throws CmcpError `OVERLOADED` */
  #reasons(session: SessionRef, server: CatalogServer, uri: string): Reasons {
    const servers = this.#sessions.get(session.id) ?? new Map<string, ServerSubscriptions>();
    const open = servers.get(definitionOf(server));
    const known = open?.uris.get(uri);
    if (known !== undefined) return known;
    if ([...servers.values()].reduce((sum, { uris }) => sum + uris.size, 0) >= MAX_FOLLOWED)
      throw new CmcpError("OVERLOADED", `a session may have at most ${MAX_FOLLOWED} subscriptions`);
    const followed = open ?? {
      session,
      server,
      uris: new Map<string, Reasons>(),
      streams: [],
      releaseSlot: this.#slot(server, session.principalId),
    };
    const reasons: Reasons = { subscribed: false, streams: new Set() };
    followed.uris.set(uri, reasons);
    servers.set(definitionOf(server), followed);
    this.#sessions.set(session.id, servers);
    this.#reopen(session, followed);
    return reasons;
  }

  /** Takes the slot of an update stream. A stdio server needs none, because it uses its one channel. @throws CmcpError `OVERLOADED` */
  #slot(server: CatalogServer, principalId: string): () => void {
    return server.transport === "stdio" ? NO_SLOT : this.#slots.take(principalId, "streams for resource updates");
  }

  /** Removes a reason. Without any reason the subscription ends. */
  #withdraw(session: SessionRef, { server, uri }: FollowedResource, take: (reasons: Reasons) => void): void {
    const followed = this.#sessions.get(session.id)?.get(definitionOf(server));
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
      this.#sessions.get(session.id)?.delete(definitionOf(server));
      return;
    }
    if (streams.length > 0 && this.#upstreams.usesOneStream(server)) return;
    // Over HTTP, updates between two streams would be lost, so the first stream ends when the second is acknowledged. Streams that are not
    // acknowledged yet are out of date. On a channel both are the same.
    end(streams.splice(server.transport === "streamable-http" ? 1 : 0));
    const stream = new AbortController();
    streams.push(stream);
    this.#upstreams
      .follow(server, session, this.#heard(session, followed, stream))
      // A server that offers no such stream is asked again at the next change.
      .then(() => streams.splice(0, streams.length, ...streams.filter((other) => other !== stream)))
      .catch(reportFault);
  }

  #heard({ id }: SessionRef, { streams, uris }: ServerSubscriptions, stream: AbortController): UpdateListener {
    return {
      uris: () => [...uris.keys()],
      notified: (method, params) => {
        if (method === SUBSCRIPTION_ACKNOWLEDGED && streams[1] === stream) end(streams.splice(0, 1));
        // Updates of other resources are ignored.
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
