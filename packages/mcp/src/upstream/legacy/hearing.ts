import { CmcpError, asCmcpError, type JsonObject } from "@cmcp/boundary";
import type { RpcNotification } from "../../jsonrpc/message.ts";
import type { WorkOver } from "../../abort-scope.ts";
import { reaches } from "../../log-level.ts";
import type { Peer } from "../../peer.ts";
import { raced } from "../abort.ts";
import { ELICITATION_COMPLETE, tellComplete } from "../elicitation.ts";
import { rateLimited, type Attending, type Notified } from "../listening.ts";
import type { Progress } from "../progress.ts";

/** A request whose answer is awaited. */
export interface Running {
  readonly peer: Peer;
  readonly progress: Progress;
  /** When the answer is complete, or will never be. */
  readonly over: WorkOver;
  /** Gives the answer up. */
  readonly fail: (why: CmcpError) => void;
}

/** Who hears what a server says in one session beside its answers. */
export class Hearing {
  readonly #changed: Notified;
  /** Latest last. */
  readonly #attending = new Set<Attending>();
  /** By the progress tokens that the server was given for them. */
  readonly #running = new Map<number, Running>();
  readonly #log = rateLimited((method, params) => this.#logged(method, params));

  /** @param changed takes what says of changes */
  constructor(changed: Notified) {
    this.#changed = changed;
  }

  /** The caller that what names no request is for. */
  get latest(): Attending | undefined {
    return [...this.#attending].at(-1);
  }

  /** Adds one who can be asked or wants logs, until the returned function is called. */
  attend(attending: Attending): () => void {
    this.#attending.add(attending);
    return () => void this.#attending.delete(attending);
  }

  /** Adds a request, until the returned function is called. */
  run(token: number, running: Running): () => void {
    this.#running.set(token, running);
    return () => void this.#running.delete(token);
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
      tellComplete(
        [...this.#running.values()].map(({ peer }) => peer),
        params,
      );
    else this.#changed(method, params ?? {});
  }

  /** Progress by its token, under the rules of the answer's own stream; whoever is slow to take it is waited for until its request is over. */
  async #progressed(notification: RpcNotification): Promise<void> {
    const token = notification.params?.progressToken;
    const running = typeof token === "number" ? this.#running.get(token) : undefined;
    if (running === undefined) return;
    try {
      await raced(running.progress.pass(notification), running.over.signal);
    } catch (thrown) {
      running.fail(asCmcpError(thrown, "REQUEST_CANCELLED", "the caller went away"));
    }
  }

  /** Who cannot take a log message is told of none, as nothing waits here. */
  #logged(method: string, params: JsonObject): void {
    const peer = this.latest?.peer;
    if (peer === undefined || !peer.wantsLog || !reaches(params.level, peer.logLevel)) return;
    void peer.notify(method, params).catch(() => undefined);
  }
}
