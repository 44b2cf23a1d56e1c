import type { CallKey } from "./call-key.ts";
import { MAX_ROW_KEYS, type SnapshotRow } from "./snapshot.ts";

/** Most keys of one principal that are remembered. */
export const MAX_KEYS_OF_PRINCIPAL = 4_096;
/** Most keys of all principals that are remembered. */
export const MAX_KEYS = 65_536;

/** A key that a call of the log has. */
export interface UsedKey {
  readonly principal: string;
  /** Commitment to its request; `null` for a key of before the newest snapshot that was read. */
  readonly request: string | null;
  /** Index of its intent or, once the call has ended, of its entry. */
  readonly index: number;
  readonly ended: boolean;
}

interface KeysOfPrincipal {
  /** A key that names fewer records than this may have been forgotten. */
  forgotten: number;
  /** Oldest first. */
  readonly keys: Set<string>;
}

/** How many keys are remembered. */
export interface KeyBounds {
  readonly ofPrincipal: number;
  readonly inAll: number;
}

/**
 * The idempotency keys of a log's calls, the newest of each principal. A bound stands for the forgotten ones. A key
 * names no more records than the log has when the key is used, so a forgotten one names at most the index of its
 * call.
 */
export class UsedKeys {
  /** By digest, oldest first. */
  readonly #keys = new Map<string, UsedKey>();
  readonly #principals = new Map<string, KeysOfPrincipal>();
  readonly #bounds: KeyBounds;
  /** The same as a principal's bound, for everybody. */
  #forgotten = 0;

  constructor(bounds: KeyBounds = { ofPrincipal: MAX_KEYS_OF_PRINCIPAL, inAll: MAX_KEYS }) {
    this.#bounds = bounds;
  }

  /** What is known of a key, by its digest. */
  find(key: string): UsedKey | undefined {
    return this.#keys.get(key);
  }

  /** A key of the principal that names fewer records than this may have been used and forgotten. */
  forgottenOf(principal: string): number {
    return Math.max(this.#forgotten, this.#principals.get(principal)?.forgotten ?? 0);
  }

  /** Notes a record that names a key. */
  note({ principal, key, request }: CallKey & { readonly principal: string }, index: number, ended: boolean): void {
    this.#remember(key, { principal, request, index, ended });
  }

  /** Calls of records before this one may have had any key. */
  forget(before: number): void {
    this.#forgotten = Math.max(this.#forgotten, before);
  }

  /** Number of facts: keys, and bounds. */
  get size(): number {
    return this.#keys.size + this.#principals.size + (this.#forgotten > 0 ? 1 : 0);
  }

  /** Rows of a snapshot. */
  *rows(): Generator<SnapshotRow> {
    if (this.#forgotten > 0) yield { row: "forgotten-keys", before: this.#forgotten };
    for (const [principal, { forgotten, keys }] of this.#principals) {
      const known = [...keys].flatMap((key) => this.#rowOf(key));
      for (let at = 0; at < known.length; at += MAX_ROW_KEYS)
        yield { row: "keys", principal, forgotten, keys: known.slice(at, at + MAX_ROW_KEYS) };
    }
  }

  /** Takes a row that {@link rows} gave. */
  restore(row: Extract<SnapshotRow, { row: "keys" | "forgotten-keys" }>): void {
    if (row.row === "forgotten-keys") return this.forget(row.before);
    const { principal, forgotten } = row;
    for (const { key, index, open } of row.keys)
      this.#remember(key, { principal, request: null, index, ended: open === undefined });
    const own = this.#of(principal);
    own.forgotten = Math.max(own.forgotten, forgotten);
  }

  #rowOf(key: string): { key: string; index: number; open?: true }[] {
    const known = this.#keys.get(key);
    return known === undefined ? [] : [{ key, index: known.index, ...(known.ended ? {} : { open: true as const }) }];
  }

  #of(principal: string): KeysOfPrincipal {
    const known = this.#principals.get(principal) ?? { forgotten: 0, keys: new Set<string>() };
    this.#principals.set(principal, known);
    return known;
  }

  #remember(key: string, used: UsedKey): void {
    this.#keys.set(key, used);
    const { keys } = this.#of(used.principal);
    keys.add(key);
    if (keys.size > this.#bounds.ofPrincipal) this.#drop(keys);
    if (this.#keys.size > this.#bounds.inAll) this.#drop(this.#keys.keys());
  }

  /** Forgets the oldest key of several. */
  #drop(of: Iterable<string>): void {
    const [key = ""] = of;
    const used = this.#keys.get(key);
    if (used === undefined) return;
    this.#keys.delete(key);
    const own = this.#of(used.principal);
    own.keys.delete(key);
    own.forgotten = Math.max(own.forgotten, used.index + 1);
    if (own.keys.size > 0) return;
    // Nothing of the principal is left that could hold its bound.
    this.forget(own.forgotten);
    this.#principals.delete(used.principal);
  }
}
