import { setImmediate } from "node:timers/promises";
import { closeSync, fsyncSync, openSync } from "node:fs";
import { backup, type DatabaseSync } from "node:sqlite";
import { CmcpError } from "@cmcp/boundary";
import { Archive, firstKept, type ArchivingStore } from "../archive.ts";
import { Compactor, type CompactingStore, type CompactionLimits, type SegmentStore } from "../compaction.ts";
import { eraseBody } from "../erasure.ts";
import { leafHash } from "@cmcp/log";
import { TILE_WIDTH } from "@cmcp/log/format";
import { isTile, tileRoot, tilesBelow, TileTail, TILE_LEVELS, type Tile } from "../hash-tiles.ts";
import {
  checkBatch,
  checkCosigned,
  refuseGap,
  type Batch,
  type IndexedRecord,
  type LogHead,
  type ScanFilter,
} from "../log-store.ts";
import { LogThread } from "../log-thread.ts";
import {
  decodeSegment,
  decodeSegmentSync,
  FORM_PLAIN,
  isArchived,
  type ArchiveReader,
  type EncodedSegment,
} from "../segment-codec.ts";
import { segmentNames } from "../segment-names.ts";
import { compareHeld, encodeSegment, segmentPieces, segmentRecords, type Segment } from "../segment.ts";
import { openingError, storeError } from "../store-error.ts";
import { blob, integer, openDatabase, text } from "./log-database.ts";
import { TILES_OF_LEVEL } from "./log-schema.ts";
import { SegmentTable } from "./segment-table.ts";
import { preparedStatements, type Statements } from "./statements.ts";

/** Pages of the write-ahead log that a compacted segment takes, about. */
const COMPACTION_PAGES = 32;

/** How a {@link SqliteStore} keeps what it acknowledges. */
export interface SqliteStoreOptions {
  /**
   * `true`: an append waits until the disk has it (`synchronous = FULL`). `false`: until the kernel has it (`NORMAL`).
   * It then survives the death of this process. Loss of power or a kernel crash may take the newest batches, always a
   * suffix and never a part of a batch.
   */
  readonly durable: boolean;
  /** Folder of old bodies; without one they stay in the store. */
  readonly archive?: string;
}

/** A log in one SQLite file (mode 0600), or in memory. */
export class SqliteStore implements CompactingStore, ArchivingStore {
  readonly #path: string | null;
  readonly #durable: boolean;
  readonly #database: DatabaseSync;
  readonly #segments: SegmentTable;
  readonly #statements: Statements;
  readonly #compactor: Compactor;
  readonly #archive: Archive;
  readonly #rows: SegmentStore;
  #tail: TileTail | null = null;
  #log: LogThread | null = null;

  /**
   * @param path the file, created when absent; `null` keeps the log in memory
   * @throws AUDIT_STORE_UNAVAILABLE naming the path when it cannot be opened, written or is not a store of this version
   */
  constructor(path: string | null, { durable, archive }: SqliteStoreOptions) {
    this.#path = path;
    this.#durable = durable;
    try {
      const database = openDatabase(path, durable);
      this.#database = database;
      this.#segments = new SegmentTable(database);
      this.#statements = preparedStatements(database);
    } catch (thrown) {
      throw openingError(path ?? ":memory:", thrown);
    }
    this.#archive = new Archive(archive ?? null);
    this.#rows = {
      size: async () => this.#size(),
      formAt: async (index) => this.#attempt(() => this.#segments.formAt(index)),
      holding: async (index) => this.#attempt(() => this.#segments.holding(index)),
      replace: async (old, by) => this.#replace(old, by),
    };
    this.#compactor = new Compactor(this.#rows);
  }

  async append(batch: Batch): Promise<void> {
    checkBatch(batch);
    const leaves = batch.records.map(({ header }) => leafHash(header));
    this.#transaction(() => {
      const size = this.#size();
      refuseGap(batch.first, size);
      if (batch.first < size) {
        compareHeld(batch, this.#heldBetween(batch.first, Math.min(size, batch.first + batch.records.length)));
        return this.#tail;
      }
      const { tail, tiles } = this.#tailOf(size).append(leaves);
      this.#insert(batch, tiles);
      return tail;
    });
    this.#log?.appended(batch.records.length);
    this.#compactor.appended(batch.records.length);
  }

  async head(): Promise<LogHead | null> {
    return this.#attempt(() => this.#segments.head());
  }

  async keepCosigned(head: LogHead): Promise<void> {
    checkCosigned(head);
    this.#attempt(() => {
      // Whoever reads the note holds it to the records, so no call waits for the disk because of it.
      this.#database.exec("PRAGMA synchronous = NORMAL");
      try {
        this.#statements.keep.run(head.size, head.note);
      } finally {
        this.#database.exec(this.#durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
      }
    });
    this.#log?.appended(1);
  }

  async cosigned(): Promise<LogHead | null> {
    return this.#attempt(() => {
      const row = this.#statements.cosigned.get();
      return row === undefined ? null : { size: integer(row["size"]), note: text(row["note"]) };
    });
  }

  async latest(kind: string): Promise<number | null> {
    return this.#attempt(() => {
      const row = this.#statements.latest.get(kind);
      return row === undefined ? null : integer(row["latest"]);
    });
  }

  scan(filter: ScanFilter): AsyncIterable<readonly IndexedRecord[]> {
    const size = this.#size();
    return this.#pieces({ ...filter, from: filter.from ?? 0, to: Math.min(filter.to ?? size, size) });
  }

  async tile(level: number, index: number): Promise<Uint8Array> {
    if (!isTile(level, index)) return new Uint8Array(0);
    return this.#attempt(() => {
      const size = this.#size();
      if (index >= Math.floor(size / TILE_WIDTH ** (level + 1))) return this.#tailOf(size).partial(level, index);
      return this.#tile(level, index);
    });
  }

  async close(): Promise<void> {
    await this.#compactor.close();
    await this.#log?.close();
    this.#attempt(() => this.#database.close());
  }

  async compact(limits?: CompactionLimits): Promise<void> {
    await this.#compactor.run(limits);
  }

  compactAside(failed: (thrown: unknown) => void): void {
    this.#compactor.start(failed);
  }

  async archive(before: number): Promise<number> {
    return this.#archive.fill(this.#rows, before);
  }

  async archivedBefore(): Promise<number> {
    return firstKept(this.#rows, await this.#rows.size());
  }

  /**
   * See {@link ArchivingStore.erase}. No page of the file and no frame of its write-ahead log has the body any more.
   * @throws AUDIT_STORE_UNAVAILABLE also while another process reads the write-ahead log; the same call again ends it
   */
  async erase(index: number): Promise<boolean> {
    const erased = await eraseBody(this.#rows, this.#archive, index);
    const row = this.#attempt(() => this.#database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get());
    if (integer(row?.["busy"]) !== 0)
      throw new CmcpError("AUDIT_STORE_UNAVAILABLE", "the audit store failed: others hold its write-ahead log");
    return erased;
  }

  /**
   * Copies the store as it is at one moment into a file that must not exist (mode 0600), beside the appends.
   * @throws AUDIT_STORE_UNAVAILABLE naming the file
   */
  async backUp(path: string): Promise<void> {
    try {
      closeSync(openSync(path, "wx", 0o600));
      await backup(this.#database, path);
      syncFile(path);
    } catch (thrown) {
      throw openingError(path, thrown);
    }
  }

  /**
   * From here on a thread of its own moves the write-ahead log into the file; {@link close} ends it. A log in memory
   * has none.
   * @param failed called when the thread ends by itself: from then on appends move the write-ahead log
   */
  moveLogAside(failed: () => void): void {
    if (this.#path !== null) this.#log ??= new LogThread(this.#path, () => this.#moveRest(), failed);
  }

  /** Moves the few pages that the thread leaves, as it cannot while others are appended. The log then begins anew. */
  #moveRest(): void {
    try {
      this.#database.exec("PRAGMA wal_checkpoint(PASSIVE)");
    } catch {
      // It is in the log as it was. What hinders this hinders the appends too, and they say so to who asked for them.
    }
  }

  async *#pieces(filter: ScanFilter & { from: number; to: number }): AsyncGenerator<readonly IndexedRecord[]> {
    for (let from = filter.from; from < filter.to; ) {
      const next = this.#attempt(() => this.#segments.next(from, filter));
      if (next === null || next.first >= filter.to) return;
      const archived = filter.bodies === false ? null : this.#read;
      yield* segmentPieces(await decodeSegment(next, archived), { ...filter, from });
      from = next.first + next.count;
      // Whoever else waits for this process has a turn.
      await setImmediate();
    }
  }

  #insert({ first, note, records }: Batch, tiles: readonly Tile[]): void {
    const bytes = encodeSegment(records);
    const statements = this.#statements;
    statements.segment.run(first, records.length, FORM_PLAIN, bytes.length, note, bytes);
    const { keys, kinds } = segmentNames({ first, count: records.length, bytes });
    for (const key of keys) statements.name.run(key, first);
    for (const [kind, latest] of kinds) statements.kind.run(kind, latest);
    for (const { level, index, hashes } of tiles) statements.tile.run(level * TILES_OF_LEVEL + index, hashes);
  }

  #replace(old: readonly EncodedSegment[], by: EncodedSegment): boolean {
    const end = by.first + by.count;
    const statements = this.#statements;
    let replaced = false;
    this.#transaction(() => {
      // Another process may have compacted them, or erased a body: that makes a segment shorter.
      const held = statements.held.get(by.first, end, old[0]?.form ?? FORM_PLAIN);
      const bytes = old.reduce((sum, { length }) => sum + length, 0);
      if (integer(held?.["count"]) !== old.length || integer(held?.["bytes"]) !== bytes) return this.#tail;
      statements.remove.run(by.first, end);
      statements.compacted.run(by.count, by.form, by.length, by.note, by.bytes, by.first);
      for (const segment of old) {
        for (const key of segmentNames(decodeSegmentSync(segment)).keys) {
          statements.unname.run(key, segment.first);
          statements.name.run(key, by.first);
        }
      }
      replaced = true;
      return this.#tail;
    });
    this.#log?.appended(COMPACTION_PAGES);
    return replaced;
  }

  readonly #read: ArchiveReader = async (segment) => this.#archive.read(segment);

  #size(): number {
    return this.#attempt(() => this.#segments.head()?.size ?? 0);
  }

  #tile(level: number, index: number): Uint8Array {
    return blob(this.#statements.stored.get(level * TILES_OF_LEVEL + index)?.["hashes"]);
  }

  *#heldBetween(from: number, to: number): Generator<Segment> {
    for (const segment of this.#segments.between(from, to)) {
      // Its sender has had the answer long ago.
      if (isArchived(segment)) throw new CmcpError("AUDIT_STORE_UNAVAILABLE", "the audit store has archived the batch");
      yield decodeSegmentSync(segment);
    }
  }

  *#decodedBetween(from: number, to: number): Generator<Segment> {
    for (const segment of this.#segments.between(from, to)) yield decodeSegmentSync(segment);
  }

  /** The incomplete tiles of `size` leaves, read where another process has appended or nothing was yet. */
  #tailOf(size: number): TileTail {
    if (this.#tail?.size === size) return this.#tail;
    const leaves: Uint8Array[] = [];
    const from = size - (size % TILE_WIDTH);
    for (const segment of this.#decodedBetween(from, size))
      for (const { header } of segmentRecords(segment, { from, to: size })) leaves.push(leafHash(header));
    const levels = [leaves];
    for (let level = 1; level < TILE_LEVELS; level += 1) {
      const below = tilesBelow(size, level);
      const tiles = Array.from({ length: below.to - below.from }, (_, index) => below.from + index);
      levels.push(tiles.map((index) => tileRoot(this.#tile(level - 1, index))));
    }
    this.#tail = new TileTail(size, levels);
    return this.#tail;
  }

  /** The tail is that of what was committed. */
  #transaction(change: () => TileTail | null): void {
    this.#attempt(() => {
      this.#statements.begin.run();
      try {
        const tail = change();
        this.#statements.commit.run();
        this.#tail = tail;
      } catch (thrown) {
        // Some failures, a full disk among them, have ended the transaction already.
        if (this.#database.isTransaction) this.#statements.rollback.run();
        throw thrown;
      }
    });
  }

  #attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (thrown) {
      throw storeError(thrown);
    }
  }
}

/** A copy that is not on the disk is none. */
function syncFile(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
