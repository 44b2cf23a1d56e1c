import { access } from "node:fs/promises";
import { join } from "node:path";
import { CmcpError, type ErrorCode } from "@cmcp/boundary";
import type { LogHead, ReadableLog } from "@cmcp/host-proxy/store";
import { readBounded, readPieces } from "@cmcp/launch/files";
import {
  bodiesPath,
  decodeEntries,
  entriesPath,
  HASH_BYTES,
  MAX_ENTRIES_BYTES,
  MAX_NOTE_BYTES,
  parseCheckpoint,
  parseNote,
  TILE_WIDTH,
  tileAt,
  tilePath,
  type Checkpoint,
  type Note,
  type Tile,
} from "@cmcp/log/format";
import type { LogFiles } from "@cmcp/verify";
import { MalformedInput } from "../malformed-input.ts";

/** Bytes of a body, as the store bounds it. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

const NEWLINE = 0x0a;
const MALFORMED: ErrorCode = "LOG_EXPORT_MALFORMED";

/** A record as an export has it. The body is empty where it was left out. */
export interface ExportedRecord {
  readonly index: number;
  readonly header: Uint8Array;
  readonly body: Uint8Array;
}

/** A log that `cmcp log export` wrote, or somebody else. Every byte is whoever's who made the folder. */
export class ExportedLog implements ReadableLog, LogFiles {
  readonly #folder: string;
  /** Text of the checkpoint's note. */
  readonly text: string;
  readonly note: Note;
  readonly checkpoint: Checkpoint;

  private constructor(folder: string, text: string) {
    this.#folder = folder;
    this.text = text;
    this.note = parseNote(text);
    this.checkpoint = parseCheckpoint(this.note.text);
  }

  /**
   * Reads the checkpoint of a folder.
   * @throws CmcpError `USAGE` for a folder without one; MalformedInput for one of another form
   */
  static async open(folder: string): Promise<ExportedLog> {
    const role = { what: "checkpoint", code: "USAGE", maxBytes: MAX_NOTE_BYTES } as const;
    const bytes = await readBounded(join(folder, "checkpoint"), role);
    try {
      return new ExportedLog(folder, new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes));
    } catch (thrown) {
      if (!(thrown instanceof CmcpError)) throw thrown;
      throw new MalformedInput(thrown.code, `${join(folder, "checkpoint")}: ${thrown.message}`, { cause: thrown });
    }
  }

  head(): Promise<LogHead | null> {
    const { size } = this.checkpoint;
    return Promise.resolve(size === 0 ? null : { size, note: this.text });
  }

  /** @throws CmcpError `LOG_EXPORT_MALFORMED` for a tile that is not there, or of another length */
  async tile(level: number, index: number): Promise<Uint8Array> {
    const tile = tileAt(level, index, this.checkpoint.size);
    return tile === undefined ? new Uint8Array(0) : await this.readTile(tile);
  }

  /** As {@link tile}. */
  async readTile(tile: Tile): Promise<Uint8Array> {
    const path = join(this.#folder, tilePath(tile));
    const length = tile.width * HASH_BYTES;
    const bytes = await readBounded(path, { what: "hash tile", code: MALFORMED, maxBytes: length });
    if (bytes.length !== length) throw malformed(`${path}: the hash tile is cut off`);
    return bytes;
  }

  /** The leaves of a bundle. @throws CmcpError `LOG_EXPORT_MALFORMED`, naming the file */
  async readEntries(tile: Tile): Promise<Uint8Array[]> {
    const path = join(this.#folder, entriesPath(tile));
    const bytes = await readBounded(path, { what: "bundle of entries", code: MALFORMED, maxBytes: MAX_ENTRIES_BYTES });
    try {
      return decodeEntries(bytes, tile.width);
    } catch (thrown) {
      if (!(thrown instanceof CmcpError)) throw thrown;
      throw new CmcpError(MALFORMED, `${path}: ${thrown.message}`, { cause: thrown });
    }
  }

  /** The records from the first on. @throws CmcpError `LOG_EXPORT_MALFORMED`, naming the file */
  async *scan({ to = Infinity, bodies = true }: { readonly to?: number; readonly bodies?: boolean }) {
    const size = Math.min(to, this.checkpoint.size);
    for (let index = 0; index < size; index += TILE_WIDTH) {
      const tile = this.#bundleAt(index);
      if (tile !== undefined) yield* bodies ? this.#records(tile) : this.#headers(tile);
    }
  }

  async *#headers(tile: Tile): AsyncGenerator<readonly ExportedRecord[]> {
    const first = tile.index * TILE_WIDTH;
    const leaves = await this.readEntries(tile);
    yield leaves.map((header, at) => ({ index: first + at, header, body: new Uint8Array(0) }));
  }

  async *#records(tile: Tile): AsyncGenerator<readonly ExportedRecord[]> {
    const first = tile.index * TILE_WIDTH;
    const leaves = await this.readEntries(tile);
    let at = 0;
    for await (const body of this.readBodies(tile)) {
      const header = leaves[at];
      if (header === undefined) throw malformed(`${this.#bodiesOf(tile)}: it has more bodies than its bundle`);
      yield [{ index: first + at, header, body }];
      at += 1;
    }
    if (at < leaves.length) throw malformed(`${this.#bodiesOf(tile)}: it has fewer bodies than its bundle`);
  }

  #bundleAt(index: number): Tile | undefined {
    return tileAt(0, Math.floor(index / TILE_WIDTH), this.checkpoint.size);
  }

  #bodiesOf(tile: Tile): string {
    return join(this.#folder, bodiesPath(tile));
  }

  /**
   * The bodies of a bundle, one for each entry. Where there is no file, all were left out.
   * @throws CmcpError `LOG_EXPORT_MALFORMED`, naming the file
   */
  async *readBodies(tile: Tile): AsyncGenerator<Uint8Array> {
    const path = this.#bodiesOf(tile);
    const there = await access(path).then(
      () => true,
      () => false,
    );
    if (there) yield* linesOf(path, tile.width);
    else for (let at = 0; at < tile.width; at += 1) yield new Uint8Array(0);
  }
}

/** What no newline ends is no line. */
async function* linesOf(path: string, width: number): AsyncGenerator<Uint8Array> {
  let chunks: Uint8Array[] = [];
  let length = 0;
  const maxBytes = width * (MAX_BODY_BYTES + 1);
  for await (const piece of readPieces(path, { what: "file of bodies", code: MALFORMED, maxBytes })) {
    let start = 0;
    for (let end = piece.indexOf(NEWLINE); end !== -1; end = piece.indexOf(NEWLINE, start)) {
      yield Buffer.concat([...chunks, piece.subarray(start, end)]);
      [chunks, length, start] = [[], 0, end + 1];
    }
    chunks.push(piece.subarray(start));
    length += piece.length - start;
    if (length > MAX_BODY_BYTES) throw malformed(`${path}: a body has more than ${MAX_BODY_BYTES} bytes`);
  }
}

function malformed(message: string): CmcpError {
  return new CmcpError(MALFORMED, message);
}
