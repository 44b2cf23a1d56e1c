import {
  compressSegment,
  FORM_PLAIN,
  FORM_ZSTD,
  SEGMENT_FILL,
  SEGMENT_RECORDS,
  type EncodedSegment,
} from "./segment-codec.ts";
import type { LogStore } from "./log-store.ts";

/** The newest records stay as they came, at least as many: a start and the tiles being filled read them. */
export const PLAIN_RECORDS = 1024;

/** What is compacted. */
export interface CompactionLimits {
  /** Newest records that stay as they are. */
  readonly keep?: number;
  /** Records of a complete segment. */
  readonly records?: number;
}

/** A log store whose old batches are compacted. */
export interface CompactingStore extends LogStore {
  /** Compacts what is old enough. One call at a time works; another meanwhile waits for the same. */
  compact(limits?: CompactionLimits): Promise<void>;
  /**
   * From here on old batches are compacted as others come, beside the appends. {@link LogStore.close} ends it.
   * @param failed called with each failure; what failed is tried again
   */
  compactAside(failed: (thrown: unknown) => void): void;
}

/** What compaction asks of an engine. Compacted segments come before those as they were appended. */
export interface SegmentStore {
  /** Records of the log. */
  size(): Promise<number>;
  /** Form of the segment that holds an index. */
  formAt(index: number): Promise<number>;
  /** The segment that holds an index. */
  holding(index: number): Promise<EncodedSegment>;
  /**
   * Puts one segment in the place of several, in one transaction.
   * @returns `false` where another process has replaced them, and nothing was changed
   */
  replace(old: readonly EncodedSegment[], by: EncodedSegment): Promise<boolean>;
}

/** Where a group of segments ends: before an index, and at a number of records. */
interface GroupLimits {
  readonly end: number;
  readonly records: number;
}

/** Replaces plain segments by compressed ones, the oldest first. */
export class Compactor {
  readonly #store: SegmentStore;
  /** Where plain segments begin, once that is known. */
  #from: number | null = null;
  #running: Promise<void> | null = null;
  #aside: ((thrown: unknown) => void) | null = null;
  #appended = 0;
  #closed = false;

  constructor(store: SegmentStore) {
    this.#store = store;
  }

  /** See {@link CompactingStore.compact}. */
  async run(limits: CompactionLimits = {}): Promise<void> {
    this.#running ??= this.#run(limits).finally(() => {
      this.#running = null;
    });
    await this.#running;
  }

  /** See {@link CompactingStore.compactAside}. */
  start(failed: (thrown: unknown) => void): void {
    this.#aside = failed;
    this.#appended = SEGMENT_RECORDS;
  }

  /** Records were appended. */
  appended(records: number): void {
    this.#appended += records;
    if (this.#aside === null || this.#closed || this.#running !== null || this.#appended < SEGMENT_RECORDS) return;
    this.#appended = 0;
    void this.run().catch(this.#aside);
  }

  /** Ends after the segment that is being compacted. */
  async close(): Promise<void> {
    this.#closed = true;
    // Whoever began it is told how it failed.
    await this.#running?.catch(() => undefined);
  }

  async #run({ keep = PLAIN_RECORDS, records = SEGMENT_RECORDS }: CompactionLimits): Promise<void> {
    const size = await this.#store.size();
    for (;;) {
      this.#from ??= await this.#firstPlain(size);
      const group = await this.#group(this.#from, { end: size - keep, records });
      if (group === null) {
        this.#from = null;
        continue;
      }
      const [first, last] = [group[0], group.at(-1)];
      if (first === undefined || last === undefined) return;
      const bytes = Buffer.concat(group.map((segment) => segment.bytes));
      const count = last.first + last.count - first.first;
      const compressed = await compressSegment(bytes);
      const by = { ...last, first: first.first, count, form: FORM_ZSTD, length: bytes.length, bytes: compressed };
      this.#from = (await this.#store.replace(group, by)) ? first.first + count : null;
    }
  }

  /**
   * The plain segments from an index that make a complete one and end by `end`; none where they do not yet, and `null`
   * where another process has compacted there.
   */
  async #group(from: number, { end, records }: GroupLimits): Promise<readonly EncodedSegment[] | null> {
    const group: EncodedSegment[] = [];
    let bytes = 0;
    for (let index = from; index - from < records && bytes < SEGMENT_FILL; ) {
      if (this.#closed || index >= end) return [];
      const segment = await this.#store.holding(index);
      if (segment.form !== FORM_PLAIN || segment.first !== index) return null;
      if (group[0] !== undefined && segment.part !== group[0].part) return group;
      index = segment.first + segment.count;
      if (index > end) return [];
      bytes += segment.bytes.length;
      group.push(segment);
    }
    return group;
  }

  /** By bisection, as all that is compacted comes first. */
  async #firstPlain(size: number): Promise<number> {
    let [low, high] = [0, size];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((await this.#store.formAt(middle)) === FORM_PLAIN) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
