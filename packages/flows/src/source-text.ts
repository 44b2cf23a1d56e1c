import type { JsonValue } from "@cmcp/boundary";
import { decodedTexts, stringLeaves, type Leaf, type WorkBudget } from "@cmcp/findings";
import { eachFingerprint, eachGram, GRAM, hashValue, type VisitHash } from "./fingerprints.ts";
import type { FlowKey } from "./flow-key.ts";
import { identifiersOf, isRare, MIN_IDENTIFIER } from "./identifiers.ts";
import { lettersOf } from "./letters.ts";

/** Letters of arguments that are recognised when a result repeats them; what a result repeats beyond them counts as its own. */
const MAX_ECHO = 65_536;

/** Whether letters are compared as one value: long ones, and short ones that a digit or an `@` makes rare. */
export function isValue(text: string, letters: Uint16Array): boolean {
  return letters.length >= GRAM || (letters.length >= MIN_IDENTIFIER && isRare(text));
}

/** What is compared of the leaves of a value together: the text of a record runs over its members. */
export function joined(leaves: readonly Leaf[], names: boolean): string {
  const texts = leaves.filter(({ kind }) => names || kind !== "name").map(({ text }) => text);
  return texts.length > 1 ? texts.join(" ") : "";
}

/** Hashes one text: its fingerprints, itself as a value, its identifiers. */
function eachHash(text: string, key: FlowKey, budget: WorkBudget, visit: VisitHash): void {
  const letters = lettersOf(text, budget);
  eachFingerprint(letters, key, visit);
  if (isValue(text, letters)) hashValue(letters, key, visit);
  for (const identifier of identifiersOf(text)) {
    const value = lettersOf(identifier, budget);
    if (value.length >= MIN_IDENTIFIER) hashValue(value, key, visit);
  }
}

/**
 * Hashes what a delivered value says: each leaf, the leaves together with and without their names, and then what stands encoded in them.
 * @returns false when something that was not encoded was left out
 */
export function eachSourceHash(value: JsonValue, key: FlowKey, budget: WorkBudget, visit: VisitHash): boolean {
  const { leaves, complete } = stringLeaves(value);
  const values = leaves.filter(({ kind }) => kind !== "name");
  for (const { text } of values) eachHash(text, key, budget, visit);
  for (const text of [joined(leaves, false), joined(leaves, true)])
    eachFingerprint(lettersOf(text, budget), key, visit);
  const whole = complete && budget.complete;
  for (const { text } of values) {
    if (text.length < GRAM) continue;
    for (const { plain } of decodedTexts(text, budget).texts.slice(1)) eachHash(plain, key, budget, visit);
  }
  return whole;
}

/** Recognises what stood in a call's own arguments. */
export class Echo {
  readonly #hashes = new Set<number>();

  /** @param args the arguments; `undefined` for none */
  constructor(args: JsonValue | undefined, key: FlowKey, budget: WorkBudget) {
    if (args === undefined) return;
    const visit: VisitHash = (hash, check) => {
      if (this.#hashes.size < MAX_ECHO) this.#hashes.add(hash * 0x10000 + check);
    };
    const { leaves } = stringLeaves(args);
    for (const { text } of leaves)
      for (const { plain } of decodedTexts(text, budget).texts) this.#read(plain, key, budget, visit);
    for (const names of [false, true]) eachGram(lettersOf(joined(leaves, names), budget), key, visit);
  }

  /** Whether the arguments have the hash. */
  has(hash: number, check: number): boolean {
    return this.#hashes.has(hash * 0x10000 + check);
  }

  #read(text: string, key: FlowKey, budget: WorkBudget, visit: VisitHash): void {
    const letters = lettersOf(text, budget);
    eachGram(letters, key, visit);
    hashValue(letters, key, visit);
    for (const identifier of identifiersOf(text)) hashValue(lettersOf(identifier, budget), key, visit);
  }
}
