import { asCmcpError, type JsonObject } from "@cmcp/boundary";
import type { ClientCapabilities } from "../../protocol/client-capabilities.ts";
import type { ListenFilter } from "../../protocol/local-params.ts";
import { silentPeer } from "../../peer.ts";
import { changesOnly, rateLimited, type NotificationHandler } from "../listening.ts";
import type { Conversation } from "./conversation.ts";

/** Subscriptions that a server is asked for at the same time. */
const AT_ONCE = 16;
/** How long a server may take over each, in milliseconds. */
const SUBSCRIBE_MS = 10_000;
/** How long after one that could not be sent it is tried again, in milliseconds. */
const RETRY_MS = 1_000;

/** The conversation's own end is the end of what is asked here. */
const UNTIL_ANSWERED = new AbortController().signal;

interface Listener {
  readonly filter: ListenFilter;
  readonly uris: ReadonlySet<string>;
  readonly notified: NotificationHandler;
}

/**
 * Who hears what one server says unasked, over all the connections to it that follow one another. A resource is subscribed
 * to at the server as long as somebody follows it, and again on every new connection.
 */
export class SessionListeners {
  readonly #listeners = new Set<Listener>();
  #conversation: Conversation | undefined;
  /** URIs that the server of this connection was asked to tell of. */
  #subscribed = new Set<string>();
  #isScheduled = false;
  /** What the last agent request that a connection was opened for declared: a connection opened for followers declares the same. */
  capabilities: ClientCapabilities = {};

  /** True when nobody listens and no connection is open. */
  get unused(): boolean {
    return this.#listeners.size === 0 && this.#conversation === undefined;
  }

  /** Adds a listener until the returned function is called. */
  add(filter: ListenFilter, notified: NotificationHandler): () => void {
    const listener: Listener = {
      filter,
      uris: new Set(filter.resourceSubscriptions),
      notified: rateLimited(changesOnly(notified)),
    };
    this.#listeners.add(listener);
    this.#schedule();
    return () => {
      if (this.#listeners.delete(listener)) this.#schedule();
    };
  }

  /** From now on the server says what it says here, and knows of no subscription. */
  opened(conversation: Conversation): void {
    this.#conversation = conversation;
    this.#subscribed = new Set();
    conversation.listen((method, params) => this.#heard(method, params));
    this.#schedule();
  }

  closed(conversation: Conversation): void {
    if (this.#conversation === conversation) this.#conversation = undefined;
  }

  #heard(method: string, params: JsonObject): void {
    for (const listener of this.#listeners) if (concerns(listener, method, params)) listener.notified(method, params);
  }

  /** Tells the server what is followed now. What changes in one turn changes together: who listens anew at once has not left. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => void this.#reconcile());
  }

  async #reconcile(): Promise<void> {
    for (;;) {
      const conversation = this.#conversation;
      const changes = conversation === undefined ? [] : this.#changes();
      if (conversation === undefined || changes.length === 0) break;
      const sent = await Promise.all(changes.map((change) => this.#tell(conversation, change)));
      if (conversation !== this.#conversation || sent.every(Boolean)) continue;
      setTimeout(() => this.#schedule(), RETRY_MS).unref();
      break;
    }
    this.#isScheduled = false;
  }

  /** The next of what the server has to be told. */
  #changes(): { readonly uri: string; readonly follow: boolean }[] {
    const wanted = new Set([...this.#listeners].flatMap(({ uris }) => [...uris]));
    return [
      ...[...wanted].filter((uri) => !this.#subscribed.has(uri)).map((uri) => ({ uri, follow: true })),
      ...[...this.#subscribed].filter((uri) => !wanted.has(uri)).map((uri) => ({ uri, follow: false })),
    ].slice(0, AT_ONCE);
  }

  /** Whatever the server answers, it was told. @returns false when the message did not leave */
  async #tell(
    conversation: Conversation,
    { uri, follow }: { readonly uri: string; readonly follow: boolean },
  ): Promise<boolean> {
    const subscribed = this.#subscribed;
    const left = await conversation
      .request(
        follow ? "resources/subscribe" : "resources/unsubscribe",
        { uri },
        silentPeer(UNTIL_ANSWERED),
        SUBSCRIBE_MS,
      )
      .then(
        () => true,
        (thrown: unknown) => asCmcpError(thrown, "INTERNAL", "a subscription could not be asked for").detail.sent === 1,
      );
    if (left === follow) subscribed.add(uri);
    else subscribed.delete(uri);
    return left;
  }
}

/** A server may only speak of what it was asked about. */
function concerns({ filter, uris }: Listener, method: string, params: JsonObject): boolean {
  switch (method) {
    case "notifications/tools/list_changed":
      return filter.toolsListChanged;
    case "notifications/prompts/list_changed":
      return filter.promptsListChanged;
    case "notifications/resources/list_changed":
      return filter.resourcesListChanged;
    case "notifications/resources/updated":
      return typeof params.uri === "string" && uris.has(params.uri);
    default:
      return false;
  }
}
