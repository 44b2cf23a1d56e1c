import type { AbortScope } from "../../abort-scope.ts";
import { RPC } from "../../jsonrpc/reply.ts";
import type { RequestId } from "../../jsonrpc/message.ts";
import { Refusal, invalidRequest } from "../refusal.ts";

/** The requests one session is running, by id. 1 and "1" are different ids (JSON-RPC 2.0 section 4). */
export class InFlight {
  readonly #running = new Map<RequestId, AbortScope>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  /** Runs `work` under `id`, until when {@link cancel} aborts its scope. Refuses an id that is running. */
  async run<T>(id: RequestId, scope: AbortScope, work: () => Promise<T>): Promise<T> {
    if (this.#running.has(id)) throw invalidRequest("a request with this id is still running in this session");
    if (this.#running.size >= this.#max) {
      throw new Refusal("OVERLOADED", RPC.refused, `more than ${this.#max} requests run in this session`);
    }
    this.#running.set(id, scope);
    try {
      return await work();
    } finally {
      this.#running.delete(id);
    }
  }

  /** Aborts the request of that id; an id that is not running is ignored, as it may just have ended. */
  cancel(id: unknown): void {
    if (typeof id === "string" || typeof id === "number") this.#running.get(id)?.abort();
  }

  cancelAll(): void {
    for (const scope of this.#running.values()) scope.abort();
  }
}
