import { CmcpError } from "@cmcp/boundary";

/** Most changes of keys that one instance takes. */
const MAX_KEYS = 64;

/** One change of the policy signing keys: `next` follows `key`; with `null`, nothing that `key` signed is trusted. */
export interface KeyChange {
  readonly key: string;
  readonly next: string | null;
}

/**
 * The keys that policy bundles are signed with: one at a time. A key that handed over signs no further bundle, and a revoked one makes the
 * bundle that it signed untrusted. Neither ever comes back. Signatures of changes are the caller's to check.
 */
export class SigningKeys {
  readonly #successors = new Map<string, string>();
  readonly #revoked = new Set<string>();
  readonly #first: string | null;
  #current: string | null;

  /** @param first the measured key, base64url; `null` if none is pinned */
  constructor(first: string | null) {
    this.#first = first;
    this.#current = first;
  }

  /** The key that the next bundle must be signed with; `null` if there is none. */
  get current(): string | null {
    return this.#current;
  }

  isRevoked(key: string | null): boolean {
    return key !== null && this.#revoked.has(key);
  }

  /** Whether the key signed bundles before and signs none now. */
  isRetired(key: string): boolean {
    return this.#revoked.has(key) || this.#successors.has(key);
  }

  /** Whether a key that signed bundles before, and signs none now, passes a test. */
  hasSigned(test: (key: string) => boolean): boolean {
    return [...this.#successors.keys(), ...this.#revoked].some(test);
  }

  /** @throws CmcpError `POLICY_KEY_REVOCATION_INVALID` for a change that this instance cannot make; nothing changes */
  assertApplicable({ key, next }: KeyChange): void {
    if (this.#successors.size + this.#revoked.size >= MAX_KEYS)
      throw invalid(`at most ${MAX_KEYS} changes of keys; restart with the present key`);
    if (next === null) {
      if (key !== this.#current && !this.#successors.has(key)) throw invalid("the key is none that signed a policy");
      if (this.#revoked.has(key)) throw invalid("the key is revoked already");
      return;
    }
    if (key !== this.#current) throw invalid("only the key that signs policies now can hand over");
    if (next === key || next === this.#first || this.isRetired(next))
      throw invalid("the next key was in use before; make a new one");
  }

  /** Makes one change. @throws CmcpError as {@link assertApplicable} */
  apply(change: KeyChange): void {
    this.assertApplicable(change);
    const { key, next } = change;
    if (next !== null) {
      this.#successors.set(key, next);
      this.#current = next;
      return;
    }
    this.#revoked.add(key);
    if (key === this.#current) this.#current = null;
  }

  /**
   * Takes over changes of earlier instances, in any order. Of a key with two successors it is not known which one
   * followed: no key signs then.
   */
  restore(changes: readonly KeyChange[]): void {
    const nexts = Map.groupBy(
      changes.filter(({ next }) => next !== null),
      ({ key }) => key,
    );
    while (this.#current !== null) {
      const followers = new Set(nexts.get(this.#current)?.map(({ next }) => next));
      const [next] = followers;
      if (next == null) break;
      const isKnown = next === this.#first || this.isRetired(next);
      this.#successors.set(this.#current, next);
      this.#current = followers.size > 1 || isKnown ? null : next;
    }
    for (const { key, next } of changes) if (next === null) this.#revoked.add(key);
    if (this.isRevoked(this.#current)) this.#current = null;
  }
}

function invalid(why: string): CmcpError {
  return new CmcpError("POLICY_KEY_REVOCATION_INVALID", `the statement about policy signing keys is refused: ${why}`);
}
