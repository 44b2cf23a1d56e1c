import type { Pool } from "pg";
import { Archive, firstKept, type ArchivingStore } from "../archive.ts";
import { Compactor, type CompactingStore, type CompactionLimits, type SegmentStore } from "../compaction.ts";
import { eraseBody } from "../erasure.ts";
import { leafHash } from "@cmcp/log";
import { TILE_WIDTH } from "@cmcp/log/format";
import { isTile, tileRoot, tilesBelow, TileTail, TILE_LEVELS } from "../hash-tiles.ts";
import {
  checkBatch,
  checkCosigned,
  refuseGap,
  type Batch,
  type IndexedRecord,
  type LogHead,
  type ScanFilter,
} from "../log-store.ts";
import { decodeSegment, type ArchiveReader, type EncodedSegment } from "../segment-codec.ts";
import { filterKeys, segmentNames } from "../segment-names.ts";
import { compareHeld, encodeSegment, malformedStore, segmentPieces, segmentRecords, type Segment } from "../segment.ts";
import { AppendLock } from "./append-lock.ts";
import { bytes, connections, integer, text, type PostgresStoreOptions, type Row } from "./connection.ts";
import { dayPartition } from "./log-schema.ts";
import { openLog } from "./open-log.ts";
import { postgresError } from "./postgres-error.ts";
import {
  APPEND,
  COSIGNED,
  FORM_AT,
  HEAD,
  KEEP_COSIGNED,
  LAST_DAY,
  LATEST,
  NEXT_SEGMENT,
  REPLACE,
  TILES,
} from "./statements.ts";

/** Milliseconds for which {@link PostgresStore.hold} keeps others from appending. */
const HOLD_MS = 60_000;

/**
 * A log in a PostgreSQL database, 15 or newer, beside those of other origins. One process appends to a log: another is
 * refused by the index of its first batch.
 */
export class PostgresStore implements CompactingStore, ArchivingStore {
  readonly #pool: Pool;
  readonly #origin: number;
  readonly #lock: AppendLock;
  readonly #compactor: Compactor;
  readonly #archive: Archive;
  readonly #rows: SegmentStore;
  /** The append that was asked for last: each waits for the one before. */
  #last: Promise<void> = Promise.resolve();
  #tail: TileTail | null = null;
  /** The newest day that has a partition. */
  #day: string | null = null;
  #closed = false;

  private constructor(pool: Pool, origin: number, { archive, holdMs = HOLD_MS }: PostgresStoreOptions) {
    this.#pool = pool;
    this.#origin = origin;
    this.#lock = new AppendLock(pool, origin, holdMs);
    this.#archive = new Archive(archive ?? null);
    this.#rows = {
      size: async () => (await this.head())?.size ?? 0,
      formAt: async (index) => integer((await this.#one(FORM_AT, [index]))["form"]),
      holding: async (index) => this.#holding(index),
      replace: async (old, by) => this.#replace(old, by),
    };
    this.#compactor = new Compactor(this.#rows);
  }

  /**
   * Opens the log of an origin, and creates the tables and the log where they are missing.
   * @throws AUDIT_STORE_UNAVAILABLE when the server cannot be reached or is too old, or its tables are of another
   *   version
   */
  static async open(options: PostgresStoreOptions): Promise<PostgresStore> {
    const pool = connections(options);
    try {
      return new PostgresStore(pool, await openLog(pool, options), options);
    } catch (thrown) {
      await pool.end();
      throw postgresError(thrown);
    }
  }

  async append(batch: Batch): Promise<void> {
    checkBatch(batch);
    const appended = this.#last.then(async () => this.#append(batch));
    this.#last = appended.catch(() => undefined);
    await appended;
    this.#compactor.appended(batch.records.length);
  }

  /** See {@link LogStore.hold}. Appends of other processes wait meanwhile, as long as an answer may take. */
  async hold(): Promise<void> {
    await this.#attempt(async () => this.#lock.take());
  }

  async head(): Promise<LogHead | null> {
    const row = await this.#one(HEAD, []);
    const size = integer(row["size"]);
    return size === 0 ? null : { size, note: bytes(row["note"]).toString() };
  }

  async keepCosigned(head: LogHead): Promise<void> {
    checkCosigned(head);
    await this.#query(KEEP_COSIGNED, [head.size, Buffer.from(head.note)]);
  }

  async cosigned(): Promise<LogHead | null> {
    const [row] = await this.#query(COSIGNED, []);
    return row === undefined ? null : { size: integer(row["size"]), note: bytes(row["note"]).toString() };
  }

  async latest(kind: string): Promise<number | null> {
    const [row] = await this.#query(LATEST, [Buffer.from(kind)]);
    return row === undefined ? null : integer(row["latest"]);
  }

  scan(filter: ScanFilter): AsyncIterable<readonly IndexedRecord[]> {
    const head = this.head();
    // Whoever reads the first piece is told; nobody may.
    head.catch(() => undefined);
    return this.#pieces(filter, head);
  }

  async tile(level: number, index: number): Promise<Uint8Array> {
    if (!isTile(level, index)) return new Uint8Array(0);
    const size = (await this.head())?.size ?? 0;
    if (index >= Math.floor(size / TILE_WIDTH ** (level + 1))) return (await this.#tailOf(size)).partial(level, index);
    const [tile] = await this.#tiles(level, index, index + 1);
    return tile ?? new Uint8Array(0);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#compactor.close();
    await this.#last;
    this.#lock.release();
    await this.#pool.end();
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

  /** See {@link ArchivingStore.erase}. The server keeps old rows until it is told to rewrite the table. */
  async erase(index: number): Promise<boolean> {
    return eraseBody(this.#rows, this.#archive, index);
  }

  async #append(batch: Batch): Promise<void> {
    const { first, note, records } = batch;
    const end = first + records.length;
    if (this.#tail?.size !== first) {
      // Another process has appended, or nothing was yet, or an answer was lost.
      const size = (await this.head())?.size ?? 0;
      refuseGap(first, size);
      if (first < size) return this.#compare(batch, Math.min(size, end));
    }
    const { tail, tiles } = (await this.#tailOf(first)).append(records.map(({ header }) => leafHash(header)));
    const encoded = encodeSegment(records);
    const { keys, kinds } = segmentNames({ first, count: records.length, bytes: encoded });
    const day = await this.#today();
    // Until the answer is here, nobody knows what the log is.
    this.#tail = null;
    const [answer] = await this.#attempt(async () =>
      this.#lock.append(APPEND, [
        this.#origin,
        first,
        end,
        Buffer.from(note),
        day,
        encoded.length,
        encoded,
        keys,
        [...kinds.keys()].map((kind) => Buffer.from(kind)),
        [...kinds.values()],
        tiles.map(({ level }) => level),
        tiles.map(({ index }) => index),
        tiles.map(({ hashes }) => hashes),
      ]),
    );
    if (integer(answer?.["count"]) === 1) {
      this.#tail = tail;
      return;
    }
    const size = (await this.head())?.size ?? 0;
    refuseGap(first, size);
    await this.#compare(batch, Math.min(size, end));
  }

  async #compare(batch: Batch, end: number): Promise<void> {
    const segments: Segment[] = [];
    for await (const segment of this.#between(batch.first, end, this.#read)) segments.push(segment);
    compareHeld(batch, segments);
  }

  async *#pieces(filter: ScanFilter, asOf: Promise<LogHead | null>): AsyncGenerator<readonly IndexedRecord[]> {
    const to = Math.min(filter.to ?? Number.MAX_SAFE_INTEGER, (await asOf)?.size ?? 0);
    for (let from = filter.from ?? 0; from < to; ) {
      const next = await this.#next(from, filter);
      if (next === null || next.first >= to) return;
      const archived = filter.bodies === false ? null : this.#read;
      yield* segmentPieces(await decodeSegment(next, archived), { ...filter, from, to });
      from = next.first + next.count;
    }
  }

  /** The next segment from the one that holds an index, of those the filter asks for; `null` after the last. */
  async #next(index: number, filter: ScanFilter): Promise<EncodedSegment | null> {
    const keys = filterKeys(filter);
    const [row] = await this.#query(NEXT_SEGMENT[keys.length] ?? "", [index, ...keys]);
    if (row === undefined) return null;
    const [first, count] = [integer(row["first"]), integer(row["count"])];
    if (first < 0 || count < 1) throw malformedStore(`a segment of ${count} records at ${first}`);
    if (first + count <= index) throw malformedStore(`no record at ${index}`);
    const [form, length] = [integer(row["form"]), integer(row["length"])];
    const note = bytes(row["note"]).toString();
    return { first, count, form, length, note, bytes: bytes(row["records"]), part: text(row["day"]) };
  }

  async #holding(index: number): Promise<EncodedSegment> {
    const segment = await this.#next(index, {});
    if (segment === null) throw malformedStore(`no record at ${index}`);
    return segment;
  }

  readonly #read: ArchiveReader = async (segment) => this.#archive.read(segment);

  /** @param archived `null` leaves out the bodies of archived segments */
  async *#between(from: number, to: number, archived: ArchiveReader | null): AsyncGenerator<Segment> {
    for (let index = from; index < to; ) {
      const segment = await decodeSegment(await this.#holding(index), archived);
      yield segment;
      index = segment.first + segment.count;
    }
  }

  async #replace(old: readonly EncodedSegment[], by: EncodedSegment): Promise<boolean> {
    const names: number[] = [];
    const firsts: number[] = [];
    for (const segment of old)
      for (const key of segmentNames(await decodeSegment(segment, null)).keys) {
        names.push(key);
        firsts.push(segment.first);
      }
    const { first, count, form, length, note } = by;
    const before = [old.length, old.reduce((sum, segment) => sum + segment.length, 0)];
    const after = [count, form, length, Buffer.from(note), by.bytes];
    const values = [by.part, first, first + count, ...before, ...after, names, firsts, old[0]?.form];
    return integer((await this.#one(REPLACE, values))["count"]) === 1;
  }

  async #tiles(level: number, from: number, to: number): Promise<readonly Uint8Array[]> {
    const rows = from === to ? [] : await this.#query(TILES, [level, from, to]);
    if (rows.length !== to - from) throw malformedStore("fewer leaves or hash tiles than records");
    return rows.map((row) => bytes(row["hashes"]));
  }

  async #tailOf(size: number): Promise<TileTail> {
    if (this.#tail?.size === size) return this.#tail;
    const leaves: Uint8Array[] = [];
    const from = size - (size % TILE_WIDTH);
    for await (const segment of this.#between(from, size, null))
      for (const { header } of segmentRecords(segment, { from, to: size })) leaves.push(leafHash(header));
    const levels = [leaves];
    for (let level = 1; level < TILE_LEVELS; level += 1) {
      const below = tilesBelow(size, level);
      levels.push((await this.#tiles(level - 1, below.from, below.to)).map((hashes) => tileRoot(hashes)));
    }
    return new TileTail(size, levels);
  }

  /** Today (UTC), or the newest day that has records where the clock went back; it has a partition. */
  async #today(): Promise<string> {
    const last = this.#day ?? (await this.#one(LAST_DAY, []))["day"];
    const today = new Date().toISOString().slice(0, 10);
    const day = typeof last === "string" && last > today ? last : today;
    if (day !== this.#day) {
      await this.#attempt(async () => this.#pool.query(dayPartition(this.#origin, day)));
      this.#day = day;
    }
    return day;
  }

  async #one(sql: string, values: readonly unknown[]): Promise<Row> {
    const [row] = await this.#query(sql, values);
    if (row === undefined) throw malformedStore("a row less than it must");
    return row;
  }

  async #query(sql: string, values: readonly unknown[]): Promise<readonly Row[]> {
    const { rows } = await this.#attempt(async () => this.#pool.query<Row>(sql, [this.#origin, ...values]));
    return rows;
  }

  async #attempt<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (thrown) {
      throw postgresError(thrown);
    }
  }
}
