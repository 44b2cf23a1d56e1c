import type { Equivalent } from "./equivalent-mutant.ts";

/** Mutants of the wire between host and enclave. */
export const WIRE: readonly Equivalent[] = [
  {
    file: "packages/wire/src/codec.ts",
    line: "if (left.length === length && right.length === length) return left < right ? -1 : 1;",
    name: "constant: 1 → 2",
    reason: "only the sign of the order counts",
  },
  {
    file: "packages/wire/src/codec.ts",
    line: "if (left.length === length && right.length === length) return left < right ? -1 : 1;",
    name: "comparison: < → <=",
    reason: "no two keys of a map are equal",
  },
  {
    file: "packages/wire/src/pool.ts",
    line: 'signal?.addEventListener("abort", onAbort, { once: true });',
    name: "constant: true → false",
    reason: "a signal aborts once",
  },
  {
    file: "packages/wire/src/opener-exchange.ts",
    line: 'signal?.addEventListener("abort", this.abort, { once: true });',
    name: "constant: true → false",
    reason: "a signal aborts once",
  },
  {
    file: "packages/wire/src/transport/hybrid-vsock.ts",
    line: 'signal.addEventListener("abort", onAbort, { once: true });',
    name: "constant: true → false",
    reason: "a signal aborts once",
  },
  {
    file: "packages/wire/src/sender.ts",
    line: "if (this.#queue === undefined) return this.#now(send);",
    name: "guard: this.#queue === undefined → false",
    reason: "what is queued behind nothing leaves in the same write",
  },
];
