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
  {
    file: "packages/inspection/src/schema/formats.ts",
    line: "date: 10,",
    name: "constant: 10 → 11",
    reason: "no date has 11 characters, so the library refuses what the bound lets through",
  },
  {
    file: "packages/inspection/src/schema/formats.ts",
    line: "email: 320,",
    name: "constant: 320 → 321",
    reason: "the library takes a name of 64 characters and a host of 253, so 318 are the most",
  },
  {
    file: "packages/inspection/src/schema/formats.ts",
    line: "hostname: 253,",
    name: "constant: 253 → 254",
    reason: "the library takes no host of 254 characters",
  },
  {
    file: "packages/inspection/src/schema/formats.ts",
    line: "ipv6: 45,",
    name: "constant: 45 → 46",
    reason: "no address of version 6 has 46 characters",
  },
  {
    file: "packages/inspection/src/schema/formats.ts",
    line: "uuid: 36,",
    name: "constant: 36 → 37",
    reason: "no UUID has 37 characters",
  },
  {
    file: "packages/inspection/src/redaction/field-rules.ts",
    line: "const STATES_LENGTH = 10;",
    name: "constant: 10 → 11",
    reason: "what is looked for has ten characters at most",
  },
  {
    file: "packages/flows/src/fingerprints.ts",
    line: "hash = ((hash << 1) | (hash >>> 31)) ^ (words[unit] ?? 0);",
    name: "constant: 0 → 1",
    reason: "the index is within the array; the type alone asks for another value",
  },
  {
    file: "packages/flows/src/fingerprints.ts",
    line: "check = ((check << 1) | (check >>> 31)) ^ (checks[unit] ?? 0);",
    name: "constant: 0 → 1",
    reason: "the index is within the array; the type alone asks for another value",
  },
  {
    file: "packages/flows/src/fingerprints.ts",
    line: "const unit = letters[at] ?? 0;",
    name: "constant: 0 → 1",
    reason: "the index is within the array; the type alone asks for another value",
  },
  {
    file: "packages/flows/src/fingerprints.ts",
    line: "const left = letters[at - GRAM] ?? 0;",
    name: "constant: 0 → 1",
    reason: "the index is within the array; the type alone asks for another value",
  },
  {
    file: "packages/flows/src/fingerprints.ts",
    line: "const word = words[left] ?? 0;",
    name: "constant: 0 → 1",
    reason: "the index is within the array; the type alone asks for another value",
  },
  {
    file: "packages/flows/src/fingerprints.ts",
    line: "const other = checks[left] ?? 0;",
    name: "constant: 0 → 1",
    reason: "the index is within the array; the type alone asks for another value",
  },
  {
    file: "packages/flows/src/fingerprints.ts",
    line: "visit(hashes[start % WINDOW] ?? 0, checks[start % WINDOW] ?? 0, start);",
    name: "constant: 0 → 1",
    reason: "the index is within the array; the type alone asks for another value",
  },
  {
    file: "packages/flows/src/fingerprints.ts",
    line: "if ((hashes[at % WINDOW] ?? 0) < (hashes[found % WINDOW] ?? 0)) found = at;",
    name: "constant: 0 → 1",
    reason: "the index is within the array; the type alone asks for another value",
  },
  {
    file: "packages/flows/src/fingerprints.ts",
    line: "else if (hash < (hashes[least % WINDOW] ?? 0)) keep(start);",
    name: "constant: 0 → 1",
    reason: "the index is within the array; the type alone asks for another value",
  },
  {
    file: "packages/flows/src/fingerprints.ts",
    line: "hash = Math.imul(hash ^ (words[unit] ?? 0), 0x9e3779b1);",
    name: "constant: 0 → 1",
    reason: "the index is within the array; the type alone asks for another value",
  },
  {
    file: "packages/flows/src/fingerprints.ts",
    line: "check = Math.imul(check ^ (checks[unit] ?? 0), 0x85ebca6b);",
    name: "constant: 0 → 1",
    reason: "the index is within the array; the type alone asks for another value",
  },
  {
    file: "packages/flows/src/slots.ts",
    line: "const owner = this.#owners[at] ?? 0;",
    name: "constant: 0 → 1",
    reason: "the index is within the array; the type alone asks for another value",
  },
  {
    file: "packages/flows/src/letters.ts",
    line: "if (needed <= this.#units.length) return;",
    name: "comparison: <= → <",
    reason: "a buffer that is larger than needed holds the same letters",
  },
  {
    file: "packages/flows/src/letters.ts",
    line: "else if (unit >= 0xd800 && unit < 0xdc00 && LETTER.test(text.slice(at, at + 2))) {",
    name: "constant: 0xdc00 → 56321",
    reason: "a second half of a pair begins no letter",
  },
  {
    file: "packages/flows/src/letters.ts",
    line: "else if (unit >= 0xd800 && unit < 0xdc00 && LETTER.test(text.slice(at, at + 2))) {",
    name: "comparison: < → <=",
    reason: "a second half of a pair begins no letter",
  },
  {
    file: "packages/findings/src/text/decodings.ts",
    line: "for (let at = 0; at < texts.length; at += 1) {",
    name: "comparison: < → <=",
    reason: "behind the last text the loop ends",
  },
  {
    file: "packages/findings/src/personal/national-numbers.ts",
    line: "return digits[0] !== 0 && repeated.length === 1 && (repeated[0] ?? 0) <= 3 && mod11And10(digits);",
    name: "constant: 0 → 1",
    reason: "there is one count; the type alone asks for another value",
  },
  {
    file: "packages/findings/src/injection/model.ts",
    line: "for (const feature of featuresAt(words, at)) sum += this.#weights[feature] ?? 0;",
    name: "constant: 0 → 1",
    reason: "the index is within the array; the type alone asks for another value",
  },
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
  {
    file: "packages/inspection/src/result/size.ts",
    line: "const UNIT_BYTES = 6;",
    name: "constant: 6 → 7",
    reason: "a larger estimate is measured, and the measure is the same",
  },
  {
    file: "packages/inspection/src/result/size.ts",
    line: "const SCALAR_BYTES = 25;",
    name: "constant: 25 → 26",
    reason: "a larger estimate is measured, and the measure is the same",
  },
  {
    file: "packages/inspection/src/result/size.ts",
    line: "const FRAME_BYTES = 3;",
    name: "constant: 3 → 4",
    reason: "a larger estimate is measured, and the measure is the same",
  },
  {
    file: "packages/inspection/src/result/text.ts",
    line: "if (strict === text) return false;",
    name: "guard: strict === text → false",
    reason: "the same text fails again in the same way",
  },
  {
    file: "packages/inspection/src/result/text-strings.ts",
    line: 'if (!written.includes("\\\\")) return written;',
    name: 'guard: !written.includes("\\\\") → false',
    reason: "what has no backslash has no escape to replace",
  },
];
