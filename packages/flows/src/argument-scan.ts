import { eachGram, GRAM, hashValue } from "./fingerprints.ts";
import type { FlowKey } from "./flow-key.ts";
import { identifiersOf, isDate, MIN_IDENTIFIER } from "./identifiers.ts";
import { lettersOf } from "./letters.ts";
import { MAX_SHARED, type Slots } from "./slots.ts";
import { isValue } from "./source-text.ts";
import type { WorkBudget } from "@cmcp/findings";

/** Servers that share a text from which on it is common, and says nothing of where it came from. */
const COMMON_SERVERS = 4;

/** What one text has of each source, in percent of its letters. */
export interface Coverage {
  readonly exact: ReadonlyMap<number, number>;
  readonly fingerprint: ReadonlyMap<number, number>;
}

const NOTHING: Coverage = { exact: new Map(), fingerprint: new Map() };

/** Adds up the letters of one text that come from each source. */
class Tally {
  readonly #letters = new Map<number, number>();
  readonly #ends = new Map<number, number>();

  /** Letters from a place on, which count once. */
  addRun(source: number, start: number, weight: number): void {
    const end = start + GRAM;
    const counted = Math.max(this.#ends.get(source) ?? 0, start);
    this.#ends.set(source, end);
    this.add(source, (end - counted) * weight);
  }

  add(source: number, letters: number): void {
    this.#letters.set(source, (this.#letters.get(source) ?? 0) + letters);
  }

  /** Whole percents of a text, 1 at least. */
  shares(length: number): Map<number, number> {
    const shares = new Map<number, number>();
    for (const [source, letters] of this.#letters)
      shares.set(source, Math.min(100, Math.max(1, Math.round((letters * 100) / Math.max(1, length)))));
    return shares;
  }
}

/** What looks arguments up. */
export interface ScanPorts {
  readonly slots: Slots;
  readonly key: FlowKey;
  readonly budget: WorkBudget;
  /** The server of each source, by number. */
  readonly serverOf: (source: number) => number;
}

/**
 * Looks every gram, the whole and the identifiers of a text up. A hash of two servers' texts weighs half, of three a third, and of
 * {@link COMMON_SERVERS} nothing.
 */
export function scanText(text: string, { slots, key, budget, serverOf }: ScanPorts): Coverage {
  if (isDate(text)) return NOTHING;
  const letters = lettersOf(text, budget);
  const found = new Uint16Array(MAX_SHARED);
  const sourcesOf = (hash: number, check: number): { sources: Uint16Array; weight: number } | null => {
    const count = slots.sourcesOf(hash, check, found);
    if (count === 0) return null;
    const sources = found.subarray(0, count);
    const servers = count === 1 ? 1 : new Set(Array.from(sources, serverOf)).size;
    return servers >= COMMON_SERVERS || count >= MAX_SHARED ? null : { sources, weight: 1 / servers };
  };
  const runs = new Tally();
  eachGram(letters, key, (hash, check, start) => {
    const known = sourcesOf(hash, check);
    if (known !== null) for (const source of known.sources) runs.addRun(source, start, known.weight);
  });
  const whole = new Tally();
  const identifiers = new Tally();
  const addValue = (value: Uint16Array, tally: Tally): void =>
    hashValue(value, key, (hash, check) => {
      const known = sourcesOf(hash, check);
      if (known !== null) for (const source of known.sources) tally.add(source, value.length * known.weight);
    });
  if (isValue(text, letters)) addValue(letters, whole);
  for (const identifier of identifiersOf(text)) {
    const value = lettersOf(identifier, budget);
    if (value.length >= MIN_IDENTIFIER) addValue(value, identifiers);
  }
  const { length } = letters;
  return { exact: new Map([...identifiers.shares(length), ...whole.shares(length)]), fingerprint: runs.shares(length) };
}
