import type { CmcpError, JsonObject, JsonValue } from "@cmcp/boundary";
import type { Peer } from "../../peer.ts";
import { relatedTask } from "../../tasks/related.ts";
import { AbandonedRequests } from "../abandoned-requests.ts";
import type { Progress } from "../progress.ts";

/** A request whose answer is awaited. */
export interface PendingRequest {
  readonly method: string;
  /** The task it is about, if it is. */
  readonly taskId: JsonValue | undefined;
  readonly answer: PromiseWithResolvers<JsonObject>;
  readonly progress: Progress;
  readonly peer: Peer;
}

/**
 * The requests a server works on over one connection. Sessions and tools share it, each under rules of its own, so what the
 * server says meanwhile is somebody's only where it can be nobody else's.
 */
export class InFlight {
  readonly #waiting = new Map<number, PendingRequest>();
  readonly #abandoned = new AbandonedRequests();

  /** Requests whose answer is awaited. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Whose answers are awaited. */
  get peers(): Peer[] {
    return [...this.#waiting.values()].map(({ peer }) => peer);
  }

  add(id: number, waiting: PendingRequest): void {
    this.#waiting.set(id, waiting);
  }

  /** The request of that id, whose answer is awaited. */
  named(id: unknown): PendingRequest | undefined {
    return typeof id === "number" ? this.#waiting.get(id) : undefined;
  }

  /** The request that an answer of that id ends. */
  answered(id: unknown): PendingRequest | undefined {
    const waiting = this.named(id);
    if (typeof id === "number") {
      this.#waiting.delete(id);
      this.#abandoned.answered(id);
    }
    return waiting;
  }

  /** Nobody waits for that answer any more; unless there was one, the server may still work on it for `ms` milliseconds. */
  leave(id: number, ms: number): void {
    if (this.#waiting.delete(id)) this.#abandoned.add(id, ms);
  }

  /**
   * Whose a message of the server is that names no request: that which is about the task it names, else the only one in
   * flight; `undefined` for nobody's, and for what may be another's.
   */
  concerned(params: JsonObject | null): PendingRequest | undefined {
    const task = relatedTask(params);
    const waiting = [...this.#waiting.values()];
    if (task !== null) return waiting.find(({ taskId }) => taskId === task);
    return waiting.length + this.#abandoned.size === 1 ? waiting[0] : undefined;
  }

  /** No answer comes any more. */
  end(why: CmcpError): void {
    for (const { answer } of this.#waiting.values()) answer.reject(why);
    this.#waiting.clear();
    this.#abandoned.clear();
  }
}
