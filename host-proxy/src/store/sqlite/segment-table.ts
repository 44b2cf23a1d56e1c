import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import type { LogHead, ScanFilter } from "../log-store.ts";
import { malformedStore } from "../segment.ts";
import { filterKeys } from "../segment-names.ts";
import type { EncodedSegment } from "../segment-codec.ts";
import { blob, integer, text } from "./log-database.ts";

/** The next segment from an index on, by how many names it must have. */
export const NEXT_SEGMENT_SQL = [
  "SELECT * FROM segments WHERE first >= ? ORDER BY first LIMIT 1",
  `SELECT segments.* FROM names CROSS JOIN segments ON segments.first = names.first
    WHERE names.first >= ? AND names.name = ? ORDER BY names.first LIMIT 1`,
  `SELECT segments.* FROM names CROSS JOIN names AS others ON others.name = ?3 AND others.first = names.first
    CROSS JOIN segments ON segments.first = names.first
    WHERE names.first >= ?1 AND names.name = ?2 ORDER BY names.first LIMIT 1`,
] as const;

/** Reads the segments of a database. */
export class SegmentTable {
  readonly #next: readonly StatementSync[];
  readonly #last: StatementSync;
  readonly #holding: StatementSync;
  readonly #form: StatementSync;

  constructor(database: DatabaseSync) {
    this.#next = NEXT_SEGMENT_SQL.map((sql) => database.prepare(sql));
    this.#last = database.prepare("SELECT first + count AS size, note FROM segments ORDER BY first DESC LIMIT 1");
    this.#holding = database.prepare("SELECT max(first) AS first FROM segments WHERE first <= ?");
    this.#form = database.prepare("SELECT form FROM segments WHERE first <= ? ORDER BY first DESC LIMIT 1");
  }

  /** Size of the log and its newest note. */
  head(): LogHead | null {
    const row = this.#last.get();
    return row === undefined ? null : { size: integer(row["size"]), note: text(row["note"]) };
  }

  /**
   * The next segment from the one that holds `index`, of those the filter asks for; `null` after the last.
   * @throws AUDIT_STORE_DAMAGED when it holds what no append stored
   */
  next(index: number, filter: ScanFilter): EncodedSegment | null {
    const row = this.#row(index, filter);
    if (row === undefined) return null;
    const segment = decoded(row);
    const whole = filter.session === undefined && filter.kind === undefined;
    if (segment.first + segment.count <= index || (whole && segment.first > index))
      throw malformedStore(`no record at ${index}`);
    return segment;
  }

  /** The segment that holds an index of the log. */
  holding(index: number): EncodedSegment {
    const segment = this.next(index, {});
    if (segment === null) throw malformedStore(`no record at ${index}`);
    return segment;
  }

  /** Form of the segment that holds an index of the log. */
  formAt(index: number): number {
    return integer(this.#form.get(index)?.["form"]);
  }

  /** The segments that hold the indexes from `from` to before `to`. */
  *between(from: number, to: number): Generator<EncodedSegment> {
    for (let index = from; index < to; ) {
      const segment = this.holding(index);
      yield segment;
      index = segment.first + segment.count;
    }
  }

  #row(index: number, filter: ScanFilter): Record<string, SQLOutputValue> | undefined {
    const holding = this.#holding.get(index)?.["first"] ?? 0;
    const keys = filterKeys(filter);
    return this.#next[keys.length]?.get(holding, ...keys);
  }
}

function decoded(row: Record<string, SQLOutputValue>): EncodedSegment {
  const [first, count] = [integer(row["first"]), integer(row["count"])];
  if (first < 0 || count < 1) throw malformedStore(`a segment of ${count} records at ${first}`);
  const [form, length] = [integer(row["form"]), integer(row["length"])];
  return { first, count, form, length, note: text(row["note"]), bytes: blob(row["records"]) };
}
