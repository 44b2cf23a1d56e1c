import { RPC } from "../../jsonrpc/reply.ts";
import { Refusal } from "../refusal.ts";

/** How many modern requests each session is running. Their ids are not kept: clients that share one may choose the same. */
export class Running<Session extends object> {
  readonly #counts = new WeakMap<Session, number>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  /** Runs `work`; refuses with `OVERLOADED` what is beyond the limit. */
  async run<T>(session: Session, work: () => Promise<T>): Promise<T> {
    const count = this.#counts.get(session) ?? 0;
    if (count >= this.#max)
      throw new Refusal("OVERLOADED", RPC.refused, `more than ${this.#max} requests run in this session`);
    this.#counts.set(session, count + 1);
    try {
      return await work();
    } finally {
      this.#counts.set(session, (this.#counts.get(session) ?? 1) - 1);
    }
  }
}
