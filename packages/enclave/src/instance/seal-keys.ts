import { hash } from "node:crypto";
import { CmcpError, toBase64Url } from "@cmcp/boundary";
import {
  encodeKeyConfigs,
  keyConfigOf,
  PRIVATE_KEY_BYTES,
  randomBytes,
  SUITES,
  type KeyConfig,
  type OwnKey,
  type Suite,
} from "@cmcp/seal";
import { ReplayWindow } from "./replay-window.ts";

/** What the instance's signing key signs before a list of key configurations. */
const PURPOSE = Buffer.from("cmcp-seal-keys-v1|", "latin1");
/** Requests that a key opens before another takes its place. */
export const REQUESTS_OF_KEY = 2 ** 20;
/** Configuration ids have one byte, and none is used for two keys (RFC 9458 section 3). */
const MAX_ID = 255;

/** One HPKE key, with what it has opened. */
interface SealKey {
  readonly own: OwnKey;
  readonly config: KeyConfig;
  readonly seen: ReplayWindow;
}

/** The keys that agents seal to, as anybody may know them. */
export interface SealKeyList {
  /** Key configurations (RFC 9458 section 3.2), base64url. */
  readonly key_configs: string;
  /** The instance's signature over `cmcp-seal-keys-v1|` and those bytes, base64url. */
  readonly signature: string;
}

/** Bounds of {@link SealKeys}. */
export interface SealKeysOptions {
  /** Signs with the instance's key. */
  readonly sign: (bytes: Uint8Array) => Uint8Array;
  readonly requestsOfKey?: number | undefined;
}

/**
 * The HPKE keys of this instance: one of each suite, made here and never stored, and the one before it, for agents that do not know the
 * present one yet. A key that has opened its number of requests makes room for another. Where all ids are used the last keys stay, and
 * open nothing more: the gateway must start again.
 */
export class SealKeys {
  readonly #options: { readonly [Name in keyof SealKeysOptions]-?: NonNullable<SealKeysOptions[Name]> };
  readonly #byId = new Map<number, SealKey>();
  /** Ids of the present key of each suite. */
  readonly #present = new Map<Suite, number>();
  #nextId = 1;
  #list: SealKeyList;
  #name: string;

  constructor(options: SealKeysOptions) {
    this.#options = { ...options, requestsOfKey: options.requestsOfKey ?? REQUESTS_OF_KEY };
    for (const suite of SUITES) this.#renew(suite);
    ({ list: this.#list, name: this.#name } = this.#signed());
  }

  /** The present keys. */
  get list(): SealKeyList {
    return this.#list;
  }

  /** How reports and records name the present keys: SHA-256 of the bytes of their list, base64url. */
  get name(): string {
    return this.#name;
  }

  /**
   * The key of an id; `null` for one that is not in use, and for one that has opened all that it may: twice its
   * number, as agents learn of the next one late.
   */
  keyOf(id: number): OwnKey | null {
    const key = this.#byId.get(id);
    return key === undefined || key.seen.size >= 2 * this.#options.requestsOfKey ? null : key.own;
  }

  /**
   * Remembers a request whose caller is authenticated, for the life of its key.
   * @throws CmcpError `SEAL_REPLAYED` for one that was acted on before; `SEAL_NOT_OPENED` where its key has made room meanwhile
   */
  take(id: number, encapsulated: Uint8Array): void {
    const key = this.#byId.get(id);
    if (key === undefined) throw new CmcpError("SEAL_NOT_OPENED", "the sealed message does not open");
    if (!key.seen.add(encapsulated))
      throw new CmcpError("SEAL_REPLAYED", "this sealed request was acted on before; it is not acted on again");
    if (key.seen.size < this.#options.requestsOfKey || this.#present.get(key.own.suite) !== id) return;
    if (this.#nextId > MAX_ID) return;
    this.#renew(key.own.suite);
    ({ list: this.#list, name: this.#name } = this.#signed());
  }

  #renew(suite: Suite): void {
    const id = this.#nextId;
    this.#nextId += 1;
    const key = suite.kem.keyOf(randomBytes(PRIVATE_KEY_BYTES));
    const config = keyConfigOf({ id, suite, publicKey: key.publicKey });
    this.#byId.set(id, { own: { suite, key }, config, seen: new ReplayWindow() });
    this.#present.set(suite, id);
    // Of one suite the present key and the one before it stay.
    const earlier = [...this.#byId].filter(([, { own }]) => own.suite === suite).map(([known]) => known);
    for (const old of earlier.slice(0, -2)) this.#byId.delete(old);
  }

  #signed(): { readonly list: SealKeyList; readonly name: string } {
    const present = [...this.#present.values()].flatMap((id) => this.#byId.get(id)?.config ?? []);
    const configs = encodeKeyConfigs(present);
    const signature = this.#options.sign(Buffer.concat([PURPOSE, configs]));
    return {
      list: { key_configs: toBase64Url(configs), signature: toBase64Url(signature) },
      name: toBase64Url(hash("sha256", configs, "buffer")),
    };
  }
}
