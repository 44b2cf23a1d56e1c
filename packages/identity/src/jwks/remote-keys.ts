import { CmcpError, type Untrusted } from "@cmcp/boundary";
import type { Algorithm } from "../jwt/algorithms.ts";
import { tokenFault } from "../jwt/fault.ts";
import type { JwtHeader } from "../jwt/header.ts";
import type { IssuerKeys, SelectedKey } from "../jwt/keys.ts";
import { KEY_FETCH_INTERVAL_MS, KEY_FETCH_MS, KEY_RETRY_INTERVAL_MS, MAX_WAITING_FOR_KEYS } from "../limits.ts";
import { keySetFault } from "./fault.ts";
import { readKeySet, type KeySet } from "./key-set.ts";

/** What fetching one issuer's keys needs. */
export interface RemoteKeysOptions {
  readonly issuer: string;
  readonly algorithms: readonly Algorithm[];
  /** Age at which the keys are fetched again, and age from which they verify nothing, in milliseconds. */
  readonly refreshMs: number;
  readonly maxAgeMs: number;
  /** Fetches the JWK set from the server that the configuration trusts. */
  readonly fetch: (signal: AbortSignal) => Promise<Untrusted<Uint8Array>>;
  /** Monotonic milliseconds: the host's clock cannot make keys younger. */
  readonly now: () => number;
}

/** What can be said of an issuer's keys. */
export interface RemoteKeysState {
  readonly issuer: string;
  /** `null` before the first set. */
  readonly set: { readonly hash: string; readonly keys: number; readonly ageMs: number } | null;
  /** Why the last fetch failed; `null` if it did not. */
  readonly failure: string | null;
}

/**
 * The keys of one issuer, fetched when they are needed. Tokens are not authenticated yet when they ask for keys, so
 * whatever they say costs one fetch in an interval, for all callers together, and a bounded number of waiting requests.
 * A token whose key is here never waits, until the keys have reached their bound.
 */
export class RemoteKeys implements IssuerKeys {
  readonly #options: RemoteKeysOptions;
  #set: (KeySet & { readonly at: number }) | null = null;
  #fetching: Promise<void> | null = null;
  #next = Number.NEGATIVE_INFINITY;
  #failure: CmcpError | null = null;
  #waiting = 0;

  constructor(options: RemoteKeysOptions) {
    this.#options = options;
  }

  /** For status. */
  get state(): RemoteKeysState {
    const { issuer, now } = this.#options;
    const set = this.#set;
    return {
      issuer,
      set: set === null ? null : { hash: set.hash, keys: set.ring.size, ageMs: now() - set.at },
      failure: this.#failure?.message ?? null,
    };
  }

  async select(header: JwtHeader): Promise<SelectedKey> {
    if (this.#current() === null) await this.#wait(this.#fetch());
    else if (this.#age() >= this.#options.refreshMs) void this.#fetch();
    const set = this.#current();
    if (set === null) throw this.#failure ?? keySetFault("fetch");
    const { kid } = header;
    const isUnknown = kid !== null && !set.ring.has(kid);
    if (isUnknown) await this.#wait(this.#fetch());
    const { ring, hash } = (isUnknown ? this.#current() : set) ?? set;
    return { key: ring.select(header), keySet: hash };
  }

  #age(): number {
    return this.#set === null ? Number.POSITIVE_INFINITY : this.#options.now() - this.#set.at;
  }

  #current(): KeySet | null {
    return this.#age() < this.#options.maxAgeMs ? this.#set : null;
  }

  /** Waits for a fetch that runs; one request of too many goes on without it. */
  async #wait(fetching: Promise<void> | null): Promise<void> {
    if (fetching === null || this.#waiting >= MAX_WAITING_FOR_KEYS) return;
    this.#waiting += 1;
    try {
      await fetching;
    } finally {
      this.#waiting -= 1;
    }
  }

  /** The fetch that runs, or a new one; `null` if the last one was too short a time ago. It never throws. */
  #fetch(): Promise<void> | null {
    const { now } = this.#options;
    if (this.#fetching !== null || now() < this.#next) return this.#fetching;
    this.#next = now() + KEY_FETCH_INTERVAL_MS;
    this.#fetching = this.#renew().finally(() => {
      this.#fetching = null;
    });
    return this.#fetching;
  }

  /** Puts another set in place of the one before. A set that is refused leaves that one, until it has reached its bound. */
  async #renew(): Promise<void> {
    const { fetch, algorithms, now } = this.#options;
    const at = now();
    try {
      const bytes = await fetch(AbortSignal.timeout(KEY_FETCH_MS));
      this.#set = { ...(await readKeySet(bytes, algorithms)), at };
      this.#failure = null;
    } catch (thrown) {
      this.#failure =
        thrown instanceof CmcpError && thrown.code === "ISSUER_KEYS_UNAVAILABLE"
          ? thrown
          : keySetFault("fetch", thrown);
      this.#next = now() + KEY_RETRY_INTERVAL_MS;
    }
  }
}

/** Keys that nothing fetches: where a configuration is only checked. */
export const NO_KEYS: IssuerKeys = {
  select: () => {
    throw tokenFault("key");
  },
};
