import { setImmediate as turn } from "node:timers/promises";
import { Admission } from "../access/admission.ts";

/** A signal that never aborts. */
export const forever = new AbortController().signal;

/** A request that ends when told to. */
export class Held {
  readonly #end = Promise.withResolvers<void>();
  readonly done: Promise<unknown>;
  started = false;

  constructor(admission: Admission, principal: string, signal: AbortSignal = forever) {
    this.done = admission.run(principal, signal, async () => {
      this.started = true;
      await this.#end.promise;
    });
    this.done.catch(() => undefined);
  }

  async end(): Promise<void> {
    this.#end.resolve();
    await this.done;
    await turn();
  }
}

/** Monotonic milliseconds that the test sets. */
export class TestClock {
  at = 0;
  readonly now = (): number => this.at;
}

/** Starts requests of a principal until one has to wait. */
export async function fill(admission: Admission, principal: string): Promise<Held[]> {
  const held: Held[] = [];
  do {
    held.push(new Held(admission, principal));
    await turn();
  } while (held.at(-1)?.started === true);
  return held;
}
