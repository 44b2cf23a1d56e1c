import type { Equivalent } from "./equivalent-mutant.ts";

/** Mutants of what records. */
export const RECORD: readonly Equivalent[] = [
  {
    file: "packages/audit/src/chain.ts",
    line: "return this.#ids.at(-1) ?? this.#ids[0];",
    name: "constant: 0 → 1",
    reason: "there is a last one; the type alone asks for another value",
  },
  {
    file: "packages/audit/src/disclosure/kept-payloads.ts",
    line: "const limits = { maxBytes: MAX_SEALED, maxDepth: 2, maxItems: 16 };",
    name: "constant: 2 → 3",
    reason: "the texts of a call have one level, so what the bound lets through is refused",
  },
  {
    file: "packages/audit/src/disclosure/kept-payloads.ts",
    line: "const limits = { maxBytes: MAX_SEALED, maxDepth: 2, maxItems: 16 };",
    name: "constant: 16 → 17",
    reason: "the texts of a call are five at most, so what the bound lets through is refused",
  },
  {
    file: "packages/audit/src/journal.ts",
    line: "const LEAF_LIMITS: JsonLimits = { maxBytes: MAX_LEAF_BYTES, maxDepth: 2, maxItems: 64 };",
    name: "constant: 2 → 3",
    reason: "no leaf's form has another level, so what the bound lets through is refused",
  },
  {
    file: "packages/audit/src/journal.ts",
    line: "const LEAF_LIMITS: JsonLimits = { maxBytes: MAX_LEAF_BYTES, maxDepth: 2, maxItems: 64 };",
    name: "constant: 64 → 65",
    reason: "no leaf's form has so many members, so what the bound lets through is refused",
  },
  {
    file: "packages/audit/src/open-calls.ts",
    line: "if (successor !== null && session.calls.size > 0) this.#sessions.set(successor, session);",
    name: "comparison: > → >=",
    reason: "a session without open calls goes with the first entry of its successor, before any call of that",
  },
  {
    file: "packages/claim/src/transcript.ts",
    line: "this.distinctBytes += this.#rowBytes[number] ?? 0;",
    name: "constant: 0 → 1",
    reason: "the index is within the array; the type alone asks for another value",
  },
  {
    file: "packages/claim/src/transcript.ts",
    line: "const longer = new Uint32Array(Math.max(16, this.#length * 2));",
    name: "constant: 16 → 17",
    reason: "an array that is longer than needed holds the same calls",
  },
  {
    file: "packages/claim/src/transcript.ts",
    line: "this.writtenBytes += (this.#rowBytes[number] ?? 0) + 1;",
    name: "constant: 0 → 1",
    reason: "the index is within the array; the type alone asks for another value",
  },
  {
    file: "packages/log/src/path.ts",
    line: "input[0] = LEAF;",
    name: "constant: 0 → 1",
    reason: "the leaf is written over it, and what begins the input is zero as it is",
  },
  {
    file: "packages/log/src/rounds.ts",
    line: 'if (head.size <= (this.#stored?.size ?? -1)) throw new CmcpError("INTERNAL", "a log\'s stored heads grow");',
    name: "constant: 1 → 2",
    reason: "every size is above both",
  },
];
