import { CmcpError, asCmcpError, type JsonObject } from "@cmcp/boundary";
import type { RpcNotification } from "../../jsonrpc/message.ts";
import type { EndSignal } from "../../abort-scope.ts";
import { isWanted } from "../../log-level.ts";
import type { Peer } from "../../peer.ts";
import { raceAbort } from "../abort.ts";
import { ELICITATION_COMPLETE, notifyElicitationComplete } from "../elicitation.ts";
import { logParams } from "../progress.ts";
import { rateLimited, type ActiveCaller, type NotificationHandler } from "../listening.ts";
import { AbandonedRequests } from "../abandoned-requests.ts";
import type { Progress } from "../progress.ts";

/** Requests of the session's own, whose answers carry nothing: what the server says while one runs is not about it. */
const SESSION_METHODS: readonly string[] = ["ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"];

/** A request whose answer is awaited. */
export interface RunningRequest {
  readonly method: string;
  readonly peer: Peer;
  readonly progress: Progress;
  /** When the answer is complete, or will never be. */
  readonly over: EndSignal;
  /** Gives the answer up. */
  readonly fail: (why: CmcpError) => void;
}

/** Who hears what a server says in one session beside its answers. */
export class SessionRouter {
  readonly #changed: NotificationHandler;
  readonly #attending = new Set<ActiveCaller>();
  /** By the progress tokens that the server was given for them. */
  readonly #running = new Map<number, RunningRequest>();
  readonly #abandoned = new AbandonedRequests();
  readonly #log = rateLimited((method, params) => this.#logged(method, params));

  /** @param changed takes what says of changes */
  constructor(changed: NotificationHandler) {
    this.#changed = changed;
  }

  /**
   * The caller that what names no request is for: the only one in the session. Each call is under rules of its own, so what could
   * be about another, or about one that was given up, is nobody's.
   */
  get concerned(): ActiveCaller | undefined {
    const [only] = this.#attending;
    if (only === undefined || this.#abandoned.size > 0) return undefined;
    const alone = [...this.#running.values()].every(
      ({ peer, method }) => peer === only.peer || SESSION_METHODS.includes(method),
    );
    return alone ? only : undefined;
  }

  /** Adds one who can be asked or wants logs, until the returned function is called. */
  attend(attending: ActiveCaller): () => void {
    this.#attending.add(attending);
    return () => void this.#attending.delete(attending);
  }

  /** Adds a request, until the returned function is called: with the time for which the server may still work on it. */
  run(token: number, running: RunningRequest): (stillMs: number) => void {
    this.#running.set(token, running);
    return (stillMs) => {
      this.#running.delete(token);
      if (stillMs > 0 && !SESSION_METHODS.includes(running.method)) this.#abandoned.add(token, stillMs);
    };
  }

  /** Takes what the server says on the session's own stream, which is read on once this resolves. Never throws. */
  async said(notification: RpcNotification): Promise<void> {
    const { method, params } = notification;
    if (method === "notifications/progress") await this.#progressed(notification);
    else if (method === "notifications/message") this.#log(method, params ?? {});
    else this.about(notification);
  }

  /** Takes what is about the session and no answer of it, on whichever of its streams the server says it. */
  about({ method, params }: RpcNotification): void {
    if (method === ELICITATION_COMPLETE)
      notifyElicitationComplete(
        [...this.#running.values()].map(({ peer }) => peer),
        params,
      );
    else this.#changed(method, params ?? {});
  }

  /**
   * Progress by its token, under the rules of the answer's own stream; whoever is slow to take it is waited for until
   * its request is over.
   */
  async #progressed(notification: RpcNotification): Promise<void> {
    const token = notification.params?.progressToken;
    const running = typeof token === "number" ? this.#running.get(token) : undefined;
    if (running === undefined) return;
    try {
      await raceAbort(running.progress.pass(notification), running.over.signal);
    } catch (thrown) {
      running.fail(asCmcpError(thrown, "REQUEST_CANCELLED", "the caller went away"));
    }
  }

  /** Who cannot take a log message is told of none, as nothing waits here. */
  #logged(method: string, params: JsonObject): void {
    const peer = this.concerned?.peer;
    if (peer === undefined || !peer.wantsLog || !isWanted(params.level, peer.logLevel)) return;
    void peer.notify(method, logParams(params)).catch(() => undefined);
  }
}
