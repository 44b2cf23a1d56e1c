/** Most keys and entries that a finding names. */
const MAX_NAMED = 16;

/** Which entries that must carry an operator's signature do, and by whom. */
export class OperatorSignatures {
  readonly #keys = new Set<string>();
  readonly #unsigned: number[] = [];
  #more = false;
  count = 0;

  /** @param key the key that signed an entry; `null` if none did */
  add(number: number, key: string | null): void {
    this.count += 1;
    if (key === null) {
      if (this.#unsigned.length < MAX_NAMED) this.#unsigned.push(number);
    } else if (this.#keys.size < MAX_NAMED) this.#keys.add(key);
    else this.#more ||= !this.#keys.has(key);
  }

  get isSigned(): boolean {
    return this.#unsigned.length === 0;
  }

  get keys(): string {
    return [...this.#keys].join(", ") + (this.#more ? " and others" : "");
  }

  /** The first entries without a signature. */
  get unsigned(): string {
    return this.#unsigned.join(", ");
  }
}
