/** A mutant that no test can tell from the source, and why. */
export interface Equivalent {
  /** Source file, from the root. */
  readonly file: string;
  /** The line it begins on, without its indentation. */
  readonly line: string;
  /** What is changed, as a report names it. */
  readonly name: string;
  readonly reason: string;
}

/** Mutants that are never drawn. One that stands for nothing in the sources fails the run. */
export const EQUIVALENT: readonly Equivalent[] = [
  {
    file: "packages/session/src/vocabulary.ts",
    line: "return a <= b ? a : b;",
    name: "comparison: <= → <",
    reason: "where the two are equal, either is the answer",
  },
  {
    file: "packages/inspection/src/schema/formats.ts",
    line: "ipv4: 15,",
    name: "constant: 15 → 16",
    reason: "no address of version 4 has 16 characters, so the library refuses what the bound lets through",
  },
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
    line: ".map((source, index) => ({ place: order[index] ?? 0, source }))",
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
    file: "packages/appraise/src/tpm/quote.ts",
    line: "for (let bit = 0; bit < 8; bit += 1) if (((bits >> bit) & 1) === 1) registers.push(8 * byte + bit);",
    name: "comparison: < → <=",
    reason: "a byte has no ninth bit",
  },
  {
    file: "packages/log/src/path.ts",
    line: "input[0] = LEAF;",
    name: "constant: 0 → 1",
    reason: "the leaf is written over it, and what begins the input is zero as it is",
  },
  {
    file: "attestation/src/azure/metadata.ts",
    line: "const quoteAnswer = z.object({ quote: z.string().min(1) });",
    name: "constant: 1 → 2",
    reason: "one character is base64 of nothing, and refused as that",
  },
  {
    file: "attestation/src/azure/metadata-http.ts",
    line: "return { status: response.statusCode ?? 0, body: await readBody(response) };",
    name: "constant: 0 → 1",
    reason: "an answer has a status; the type alone asks for another",
  },
  {
    file: "attestation/src/tpm/commands/capability.ts",
    line: "const maker = (await fixedProperty(tpm, PT_MANUFACTURER)) ?? 0;",
    name: "constant: 0 → 1",
    reason: "neither has a letter that is shown",
  },
];
