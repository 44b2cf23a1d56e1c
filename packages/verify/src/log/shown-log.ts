import { sha256, type VerifierCrypto } from "@cmcp/appraise";
import { bytesEqual } from "@cmcp/boundary";
import {
  isConsistent,
  leafInput,
  Prover,
  rootFromPath,
  type Checkpoint,
  type Note,
  type Sha256,
  type Tile,
} from "@cmcp/log/format";

/** The checkpoint of a log and its hash tiles. Their maker chooses every byte. */
export interface LogTiles {
  readonly note: Note;
  readonly checkpoint: Checkpoint;
  /** @throws CmcpError `LOG_EXPORT_MALFORMED` for a tile that is not there, or of another length */
  readTile(tile: Tile): Promise<Uint8Array>;
}

/** The files of a log, as `cmcp log export` writes them (C2SP tlog-tiles). Their maker chooses every byte. */
export interface LogFiles extends LogTiles {
  /** The leaves of a bundle. @throws CmcpError `LOG_EXPORT_MALFORMED` */
  readEntries(tile: Tile): Promise<readonly Uint8Array[]>;
  /** The bodies of a bundle, each empty where it was left out. @throws CmcpError `LOG_EXPORT_MALFORMED`, as it is read */
  readBodies(tile: Tile): AsyncIterable<Uint8Array>;
}

/** A log of which all is computed from its files: nothing that somebody says of a proof is believed. */
export class ShownLog {
  readonly tiles: LogTiles;
  readonly sha256: Sha256;
  readonly #prover: Prover;

  constructor(tiles: LogTiles, crypto: VerifierCrypto) {
    this.tiles = tiles;
    this.sha256 = async (bytes) => await sha256(crypto, bytes);
    this.#prover = new Prover(tiles.checkpoint.size, async (tile) => tiles.readTile(tile), this.sha256);
  }

  /** Whether the tiles have the root that the checkpoint names. @throws as {@link LogTiles.readTile} */
  async hasRoot(): Promise<boolean> {
    return bytesEqual(await this.#prover.root(), this.tiles.checkpoint.root);
  }

  /** Whether a leaf is at an index (RFC 9162 section 2.1.3). @throws as {@link LogTiles.readTile} */
  async holds(leaf: Uint8Array, index: number): Promise<boolean> {
    const { size, root } = this.tiles.checkpoint;
    if (index >= size) return false;
    const path = await this.#prover.inclusion(index);
    const led = await rootFromPath(await this.sha256(leafInput(leaf)), { index, size, path }, this.sha256);
    return led !== undefined && bytesEqual(led, root);
  }

  /** Whether another head is of this log and not newer (RFC 9162 section 2.1.4). @throws as {@link LogTiles.readTile} */
  async continues(older: Checkpoint): Promise<boolean> {
    const { origin, size } = this.tiles.checkpoint;
    if (older.origin !== origin || older.size > size) return false;
    const proof = await this.#prover.consistency(older.size);
    return await isConsistent(older, this.tiles.checkpoint, proof, this.sha256);
  }
}
