import type { FlowKey } from "./flow-key.ts";

/** Letters of one gram. */
export const GRAM = 16;
/** Grams of which at least one is kept. A run of `GRAM + WINDOW - 1` letters, 23, always has one. */
export const WINDOW = 8;

/** A hash: 32 bits that find it and 16 that confirm it. */
export type VisitHash = (hash: number, check: number, start: number) => void;

/**
 * Hashes every gram of letters by a rolling hash over random words (cyclic polynomial; Cohen 1997).
 * The rotations of the sixteen places differ, so that the order of letters counts.
 */
export function eachGram(letters: Uint16Array, { words, checks }: FlowKey, visit: VisitHash): void {
  let hash = 0;
  let check = 0;
  for (let at = 0; at < letters.length; at += 1) {
    const unit = letters[at] ?? 0;
    hash = ((hash << 1) | (hash >>> 31)) ^ (words[unit] ?? 0);
    check = ((check << 1) | (check >>> 31)) ^ (checks[unit] ?? 0);
    if (at < GRAM - 1) continue;
    if (at >= GRAM) {
      const left = letters[at - GRAM] ?? 0;
      const word = words[left] ?? 0;
      const other = checks[left] ?? 0;
      hash ^= (word << GRAM) | (word >>> (32 - GRAM));
      check ^= (other << GRAM) | (other >>> (32 - GRAM));
    }
    visit(hash >>> 0, check & 0xffff, at - GRAM + 1);
  }
}

/**
 * The grams that stand for a text: of each window of {@link WINDOW} grams the least hash (winnowing; Schleimer, Wilkerson, Aiken 2003).
 * A text of fewer grams has the least of them.
 */
export function eachFingerprint(letters: Uint16Array, key: FlowKey, visit: VisitHash): void {
  const hashes = new Uint32Array(WINDOW);
  const checks = new Uint16Array(WINDOW);
  let least = -1;
  const keep = (start: number): void => {
    least = start;
    visit(hashes[start % WINDOW] ?? 0, checks[start % WINDOW] ?? 0, start);
  };
  const leastOf = (from: number, to: number): number => {
    let found = to;
    for (let at = to - 1; at >= from; at -= 1)
      if ((hashes[at % WINDOW] ?? 0) < (hashes[found % WINDOW] ?? 0)) found = at;
    return found;
  };
  eachGram(letters, key, (hash, check, start) => {
    hashes[start % WINDOW] = hash;
    checks[start % WINDOW] = check;
    const from = start - WINDOW + 1;
    if (from < 0) return;
    if (least < from) keep(leastOf(from, start));
    else if (hash < (hashes[least % WINDOW] ?? 0)) keep(start);
  });
  const grams = letters.length - GRAM + 1;
  if (grams > 0 && grams < WINDOW) keep(leastOf(0, grams - 1));
}

/** Hashes letters as one value. Values never hash as grams do. */
export function hashValue(letters: Uint16Array, { words, checks }: FlowKey, visit: VisitHash): void {
  let hash = letters.length;
  let check = ~letters.length;
  for (const unit of letters) {
    hash = Math.imul(hash ^ (words[unit] ?? 0), 0x9e3779b1);
    hash ^= hash >>> 15;
    check = Math.imul(check ^ (checks[unit] ?? 0), 0x85ebca6b);
    check ^= check >>> 13;
  }
  visit(hash >>> 0, check & 0xffff, 0);
}
