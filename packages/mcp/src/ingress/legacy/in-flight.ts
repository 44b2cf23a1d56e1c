import { RPC } from "../../jsonrpc/reply.ts";
import type { RequestId } from "../../jsonrpc/message.ts";
import { Refusal, invalidRequest } from "../refusal.ts";

/** The requests one session is running, by id. 1 and "1" are different ids (JSON-RPC 2.0 section 4). */
export class InFlight {
  readonly #running = new Map<RequestId, AbortController>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  /** Runs `work` under `id`; its signal aborts on {@link cancel} and when `gone` does. Refuses an id that is running. */
  async run<T>(id: RequestId, gone: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#running.has(id)) throw invalidRequest("a request with this id is still running in this session");
    if (this.#running.size >= this.#max) {
      throw new Refusal("OVERLOADED", RPC.refused, `more than ${this.#max} requests run in this session`);
    }
    const controller = new AbortController();
    this.#running.set(id, controller);
    try {
      return await work(AbortSignal.any([gone, controller.signal]));
    } finally {
      this.#running.delete(id);
    }
  }

  /** Aborts the request of that id; an id that is not running is ignored, as it may just have ended. */
  cancel(id: unknown): void {
    if (typeof id === "string" || typeof id === "number") this.#running.get(id)?.abort();
  }

  cancelAll(): void {
    for (const controller of this.#running.values()) controller.abort();
  }
}
