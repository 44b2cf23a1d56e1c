import { mkdir, open, writeFile, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { bytesEqual } from "@cmcp/boundary";
import { appendLeaves, EMPTY_RANGE, leafHash, rootOf, type CompactRange } from "@cmcp/log";
import {
  bodiesPath,
  encodeEntries,
  entriesPath,
  parseCheckpoint,
  parseNote,
  tileAt,
  tilePath,
  tilesOf,
  TILE_WIDTH,
  type Checkpoint,
  type Tile,
} from "@cmcp/log/format";
import type { ArchivingStore } from "./archive.ts";
import { TileTail } from "./hash-tiles.ts";
import type { IndexedRecord, LogHead } from "./log-store.ts";
import { malformedStore } from "./segment.ts";

/** What an export takes beside the store. */
export interface ExportOptions {
  /** Whether bodies that are in the archive's files are exported too. */
  readonly archived: boolean;
  /** Whether the log is exported up to its newest record, where its newest cosigned head is older. */
  readonly newest?: boolean;
}

/** What was exported. */
export interface ExportedLog extends Checkpoint {
  /** Records whose bodies were left out: the first ones. */
  readonly withoutBodies: number;
  /** Whether the checkpoint has the cosignatures of a quorum, as the host saw it. */
  readonly cosigned: boolean;
  /** Records of the store that are newer than the checkpoint, and not exported. */
  readonly newer: number;
}

/** Newline, which ends each body: JSON text in the canonical form has none. */
const NEWLINE = 0x0a;

/**
 * Writes a log to files (C2SP tlog-tiles), up to its newest cosigned head or, without one, as it is now. It writes
 * hash tiles and bundles of entries, the bodies beside them, and at last the checkpoint. Memory holds the leaves of
 * one bundle and one piece of a scan. The tiles are derived from the headers, and nothing is read of the stored ones.
 * @param folder that is created (mode 0700), with files of mode 0600
 * @throws AUDIT_STORE_DAMAGED for an empty log, or records that do not have the root which their note names;
 *   AUDIT_STORE_UNAVAILABLE when the store or its archive cannot be read; NOTE_MALFORMED for a note of
 *   another form; the operating system's error for a file that cannot be written
 */
export async function exportLog(
  store: ArchivingStore,
  folder: string,
  { archived, newest = false }: ExportOptions,
): Promise<ExportedLog> {
  const cosigned = newest ? null : await store.cosigned();
  const last = await store.head();
  if (last === null) throw malformedStore("no record");
  const head = cosigned ?? last;
  if (head.size > last.size) throw malformedStore("fewer records than witnesses cosigned");
  const checkpoint = parseCheckpoint(parseNote(head.note).text);
  if (checkpoint.size !== head.size) throw malformedStore("a note of another size than the log");
  const bodiesFrom = archived ? 0 : Math.min(await store.archivedBefore(), head.size);
  await mkdir(folder, { mode: 0o700 });
  const files = new LogFiles(folder, head.size);
  try {
    for await (const piece of piecesOf(store, head, bodiesFrom)) await files.add(piece);
    await files.finish();
  } finally {
    await files.close();
  }
  if (!bytesEqual(files.root, checkpoint.root)) throw malformedStore("other records than those of its note");
  // Whoever finds a checkpoint finds all of its tree.
  await files.write("checkpoint", Buffer.from(head.note));
  return {
    ...checkpoint,
    withoutBodies: bodiesFrom,
    cosigned: cosigned !== null,
    newer: last.size - head.size,
  };
}

async function* piecesOf(
  store: ArchivingStore,
  { size }: LogHead,
  bodiesFrom: number,
): AsyncGenerator<readonly IndexedRecord[]> {
  if (bodiesFrom > 0) yield* store.scan({ to: bodiesFrom, bodies: false });
  if (bodiesFrom < size) yield* store.scan({ from: bodiesFrom, to: size });
}

/** The files of an export, written in the order of the log. */
class LogFiles {
  readonly #folder: string;
  readonly #size: number;
  #tail = new TileTail(0, []);
  #range: CompactRange = EMPTY_RANGE;
  /** Leaves of the bundle that is not complete, and the file of their bodies. */
  #leaves: Uint8Array[] = [];
  #bodies: FileHandle | null = null;

  constructor(folder: string, size: number) {
    this.#folder = folder;
    this.#size = size;
  }

  get root(): Uint8Array {
    return rootOf(this.#range);
  }

  /** @throws AUDIT_STORE_DAMAGED for another record than the next, or a body that is more than one line */
  async add(piece: readonly IndexedRecord[]): Promise<void> {
    for (let at = 0; at < piece.length; ) {
      const room = TILE_WIDTH - this.#leaves.length;
      const records = piece.slice(at, at + room);
      await this.#addToBundle(records);
      at += records.length;
    }
  }

  async #addToBundle(records: readonly IndexedRecord[]): Promise<void> {
    const first = this.#tail.size;
    for (const [at, { index, body }] of records.entries()) {
      if (index !== first + at) throw malformedStore(`no record at ${first + at}`);
      if (body.includes(NEWLINE)) throw malformedStore(`a body of more than one line at ${index}`);
    }
    const hashes = records.map(({ header }) => leafHash(header));
    const { tail, tiles } = this.#tail.append(hashes);
    this.#tail = tail;
    this.#range = appendLeaves(this.#range, hashes).range;
    this.#bodies ??= await this.#create(bodiesPath(this.#bundleAt(first)));
    await this.#bodies.writeFile(Buffer.concat(records.flatMap(({ body }) => [body, Uint8Array.of(NEWLINE)])));
    // The bytes of a piece are shared with all of its segment.
    this.#leaves.push(...records.map(({ header }) => header.slice()));
    for (const { level, index, hashes: complete } of tiles)
      await this.write(tilePath({ level, index, width: TILE_WIDTH }), complete);
    if (tail.size % TILE_WIDTH === 0 || tail.size === this.#size) await this.#endBundle(first);
  }

  async #endBundle(first: number): Promise<void> {
    await this.write(entriesPath(this.#bundleAt(first)), encodeEntries(this.#leaves));
    this.#leaves = [];
    await this.close();
  }

  #bundleAt(index: number): Tile {
    const tile = tileAt(0, Math.floor(index / TILE_WIDTH), this.#size);
    if (tile === undefined) throw malformedStore(`a record at ${index}, beyond its size`);
    return tile;
  }

  /** Writes the tiles that are not full. @throws AUDIT_STORE_DAMAGED when records are missing */
  async finish(): Promise<void> {
    if (this.#tail.size !== this.#size) throw malformedStore(`no record at ${this.#tail.size}`);
    for (const tile of tilesOf(this.#size))
      if (tile.width < TILE_WIDTH) await this.write(tilePath(tile), this.#tail.partial(tile.level, tile.index));
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    const file = join(this.#folder, path);
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(file, bytes, { flag: "wx", mode: 0o600 });
  }

  async #create(path: string): Promise<FileHandle> {
    const file = join(this.#folder, path);
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    return await open(file, "wx", 0o600);
  }

  /** Closes the file that is being written, if there is one. */
  async close(): Promise<void> {
    await this.#bodies?.close();
    this.#bodies = null;
  }
}
