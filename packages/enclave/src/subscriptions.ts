import { CmcpError } from "@cmcp/boundary";
import type { CatalogServer } from "@cmcp/catalog";
import type { Core } from "./core.ts";
import type { RecordedSession } from "./record/recorded-session.ts";
import { reportFault } from "./report-fault.ts";
import type { OnBehalfOf } from "./upstreams.ts";

/** Resources one session may follow. */
const MAX_FOLLOWED = 256;

/** What one session follows at one server, and the stream that tells of it. */
interface Followed {
  readonly server: CatalogServer;
  /** URIs, and for how many reasons each is followed. */
  readonly uris: Map<string, number>;
  stream: AbortController;
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
    return [...this.#sessions.values()].flatMap((servers) => [...servers.values()]).reduce((sum, { uris }) => sum + uris.size, 0);
  }

  /** What one session follows at one server. */
  of(recorded: RecordedSession, server: CatalogServer): readonly string[] {
    return [...(this.#sessions.get(recorded.session.id)?.get(server.identity)?.uris.keys() ?? [])];
  }

  /** Follows a resource once more. @throws CmcpError `OVERLOADED` */
  add(recorded: RecordedSession, server: CatalogServer, uri: string): void {
    const servers = this.#sessions.get(recorded.session.id) ?? new Map<string, Followed>();
    const known = [...servers.values()].reduce((sum, { uris }) => sum + uris.size, 0);
    const followed = servers.get(server.identity) ?? { server, uris: new Map<string, number>(), stream: new AbortController() };
    const reasons = followed.uris.get(uri) ?? 0;
    if (reasons === 0 && known >= MAX_FOLLOWED) throw new CmcpError("OVERLOADED", `a session may follow ${MAX_FOLLOWED} resources`);
    followed.uris.set(uri, reasons + 1);
    servers.set(server.identity, followed);
    this.#sessions.set(recorded.session.id, servers);
    if (reasons === 0) this.#reopen(recorded.session, followed);
  }

  /** Takes one reason back; without any the resource is followed no more. */
  remove(recorded: RecordedSession, server: CatalogServer, uri: string): void {
    const followed = this.#sessions.get(recorded.session.id)?.get(server.identity);
    const reasons = followed?.uris.get(uri);
    if (followed === undefined || reasons === undefined) return;
    if (reasons > 1) {
      followed.uris.set(uri, reasons - 1);
      return;
    }
    followed.uris.delete(uri);
    this.#reopen(recorded.session, followed);
    this.#core().upstreams.unfollow(server, recorded.session, uri).catch(reportFault);
  }

  /** Ends everything a session follows. */
  forget(sessionId: string): void {
    for (const { stream } of this.#sessions.get(sessionId)?.values() ?? []) stream.abort();
    this.#sessions.delete(sessionId);
  }

  #reopen(session: OnBehalfOf, followed: Followed): void {
    followed.stream.abort();
    if (followed.uris.size === 0) {
      this.#sessions.get(session.id)?.delete(followed.server.identity);
      return;
    }
    followed.stream = new AbortController();
    const { upstreams, listeners } = this.#core();
    upstreams
      .follow(
        followed.server,
        session,
        [...followed.uris.keys()],
        (method, params) => {
          // A server may only speak of what it was asked about.
          if (method === "notifications/resources/updated" && typeof params.uri === "string" && followed.uris.has(params.uri)) listeners.resourceUpdated(session.id, params.uri);
        },
        followed.stream.signal,
      )
      .catch(reportFault);
  }
}
