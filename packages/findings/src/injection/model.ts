import { CmcpError } from "@cmcp/boundary";

/** Buckets of the table of weights, and so its bytes. */
export const MODEL_BYTES = 64 * 1024;
/** Words of one window, and by how many the next one starts later: a short order in a long text fills a window. */
export const WINDOW = 24;
export const STRIDE = 12;
/** Longest part of a word that is read, in UTF-16 units. */
const MAX_WORD = 24;
/** Score that one unit of a mean weight is worth, before the logistic curve. */
const SCALE = 1 / 16;

const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;

/** FNV-1a over UTF-16 units, from a seed. */
function hash(text: string, seed: number): number {
  let state = seed;
  const length = Math.min(text.length, MAX_WORD);
  for (let at = 0; at < length; at += 1) state = Math.imul(state ^ text.charCodeAt(at), PRIME);
  return state >>> 0;
}

const bucket = (state: number): number => (state ^ (state >>> 16)) & (MODEL_BYTES - 1);

/** Features of a word at its place: itself, it after the one and the two words before, and a mark of its stem. */
export function featuresAt(words: readonly string[], at: number): readonly number[] {
  const word = words[at] ?? "";
  const one = hash(word, OFFSET);
  const before = hash(words[at - 1] ?? "", OFFSET ^ 0x51ed27);
  const second = hash(words[at - 2] ?? "", OFFSET ^ 0x2f0b4d);
  return [
    bucket(one),
    bucket(hash(word, before)),
    bucket(hash(word, second)),
    bucket(hash(word.slice(0, 5), OFFSET ^ 0x7a3f11)),
  ];
}

/** Where windows start in a text of so many words. */
export function windowStarts(count: number): number[] {
  const starts = [0];
  for (let start = STRIDE; start + STRIDE < count; start += STRIDE) starts.push(start);
  return starts;
}

/** A linear model over hashed words: a hint, never a proof. */
export class InjectionModel {
  readonly #weights: Int8Array;

  /** @throws CmcpError `DETECTOR_DATA_REFUSED` when the table has another length. */
  constructor(weights: Uint8Array) {
    if (weights.length !== MODEL_BYTES)
      throw new CmcpError(
        "DETECTOR_DATA_REFUSED",
        `the model has ${weights.length} bytes; it must have ${MODEL_BYTES}`,
      );
    this.#weights = new Int8Array(weights.buffer, weights.byteOffset, weights.length);
  }

  /** How much the gravest window of the words reads like an order to a model, 0 to 100. Linear in the words. */
  score(words: readonly string[]): number {
    if (words.length < 3) return 0;
    const sums = new Float64Array(words.length + 1);
    for (let at = 0; at < words.length; at += 1) {
      let sum = sums[at] ?? 0;
      for (const feature of featuresAt(words, at)) sum += this.#weights[feature] ?? 0;
      sums[at + 1] = sum;
    }
    let highest = Number.NEGATIVE_INFINITY;
    for (const start of windowStarts(words.length)) {
      const end = Math.min(words.length, start + WINDOW);
      highest = Math.max(highest, ((sums[end] ?? 0) - (sums[start] ?? 0)) / Math.sqrt(Math.max(end - start, STRIDE)));
    }
    return Math.round(100 / (1 + Math.exp(-highest * SCALE + 2)));
  }
}
