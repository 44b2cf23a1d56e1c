/** A log in memory, signed as an enclave signs it, with its tiles. */
import { generateKeyPairSync, sign } from "node:crypto";
import { fromBase64Url } from "@cmcp/boundary";
import {
  appendLeaves,
  EMPTY_RANGE,
  formatCheckpoint,
  instanceKeyName,
  leafHash,
  nodeHash,
  SIGNATURE_TYPE,
  signNote,
  TILE_WIDTH,
  verifierKey,
  type CompactRange,
  type ReadTile,
} from "@cmcp/log";

export class GrowingLog {
  readonly #origin: string;
  readonly #privateKey;
  readonly #key;
  readonly #leaves: Uint8Array[] = [];
  #range: CompactRange = EMPTY_RANGE;

  constructor(origin: string) {
    this.#origin = origin;
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    this.#privateKey = privateKey;
    const { x = "" } = publicKey.export({ format: "jwk" });
    this.#key = verifierKey(instanceKeyName(x), SIGNATURE_TYPE.ed25519, fromBase64Url(x) ?? new Uint8Array());
  }

  /** Appends leaves, and signs the head. */
  append(...texts: readonly string[]): string {
    const added = texts.map((text) => leafHash(new TextEncoder().encode(text)));
    this.#leaves.push(...added);
    const { range, root } = appendLeaves(this.#range, added);
    this.#range = range;
    const text = formatCheckpoint({ origin: this.#origin, size: range.size, root });
    return signNote(text, this.#key, (bytes) => sign(null, bytes, this.#privateKey));
  }

  readonly read: ReadTile = async ({ level, index }) => {
    let hashes: Uint8Array[] = this.#leaves;
    for (let at = 0; at < 8 * level; at += 1) hashes = paired(hashes);
    return Buffer.concat(hashes.slice(index * TILE_WIDTH, (index + 1) * TILE_WIDTH));
  };
}

function paired(hashes: readonly Uint8Array[]): Uint8Array[] {
  const parents: Uint8Array[] = [];
  for (let at = 0; at + 1 < hashes.length; at += 2) {
    const [left, right] = hashes.slice(at, at + 2);
    if (left !== undefined && right !== undefined) parents.push(nodeHash(left, right));
  }
  return parents;
}
