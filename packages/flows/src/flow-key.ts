/** Code units of UTF-16. */
const UNITS = 0x10000;
/** Most bytes that one call of `getRandomValues` fills (Web Cryptography, section 10.1.1). */
const RANDOM_BYTES = 65_536;

function randomWords(): Uint32Array {
  const words = new Uint32Array(UNITS);
  for (let at = 0; at < words.byteLength; at += RANDOM_BYTES)
    crypto.getRandomValues(new Uint8Array(words.buffer, at, RANDOM_BYTES));
  return words;
}

/**
 * The secret of every hash: two random words for each code unit, 512 KiB. Without them nobody can choose texts whose hashes are the same.
 * One key serves all tables of an instance.
 */
export class FlowKey {
  /** Words of the 32-bit hash. */
  readonly words = randomWords();
  /** Words of the hash that confirms it. */
  readonly checks = randomWords();
}
