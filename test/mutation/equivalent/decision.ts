import type { Equivalent } from "./equivalent-mutant.ts";

/** Mutants of what decides. */
export const DECISION: readonly Equivalent[] = [
  {
    file: "packages/policy/src/authoring/reach.ts",
    line: "this.#byRule.set(rule, found);",
    name: "call: this.#byRule.set(rule, found); → ;",
    reason: "what is remembered of a rule is what would be found again",
  },
  {
    file: "packages/policy/src/compile/policies.ts",
    line: "`${left}` < `${right}` ? -1 : 1,",
    name: "comparison: < → <=",
    reason: "no two of the numbers are equal",
  },
  {
    file: "packages/policy/src/compile/policies.ts",
    line: ".map((source, index) => ({ position: order[index] ?? 0, source }))",
    name: "constant: 0 → 1",
    reason: "there is a place for every index; the type alone asks for another",
  },
  {
    file: "packages/policy/src/evaluate/engine.ts",
    line: 'Object.assign(slot, { plan: NONE, key: "", policies: 0, filling: 0, used: 0 });',
    name: "constant: 0 → 1",
    reason: "an empty slot is found by its plan, and its numbers are written before they are read",
  },
  {
    file: "packages/session/src/vocabulary.ts",
    line: "return a <= b ? a : b;",
    name: "comparison: <= → <",
    reason: "where the two are equal, either is the answer",
  },
  {
    file: "packages/limits/src/distinct-values.ts",
    line: "readonly #key = randomBytes(32);",
    name: "constant: 32 → 33",
    reason: "a longer key hashes as well",
  },
  {
    file: "packages/limits/src/history.ts",
    line: "const key = JSON.stringify(Object.entries(rule).toSorted(([a], [b]) => (a < b ? -1 : 1)));",
    name: "comparison: < → <=",
    reason: "no two members have one name",
  },
  {
    file: "packages/limits/src/history.ts",
    line: "const key = JSON.stringify(Object.entries(rule).toSorted(([a], [b]) => (a < b ? -1 : 1)));",
    name: "constant: 1 → 2",
    reason: "only the sign of the order counts",
  },
];
