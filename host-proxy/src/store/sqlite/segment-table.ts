import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import type { LogHead, ScanFilter } from "../log-store.ts";
import { malformedStore } from "../segment.ts";
import type { EncodedSegment } from "../segment-codec.ts";
import { blob, integer, text } from "./log-database.ts";
import { FREQUENT_KINDS } from "./log-schema.ts";

const COLUMNS = "segments.first, count, form, length, note, records";

/** The next segment at or after an index, by what the filter names: an index table for each. */
const NEXT = {
  all: `SELECT ${COLUMNS} FROM segments WHERE first >= ? ORDER BY first LIMIT 1`,
  session: `SELECT ${COLUMNS} FROM session_segments AS s CROSS JOIN segments ON segments.first = s.first
    WHERE s.first >= ? AND s.session = ? ORDER BY s.first LIMIT 1`,
  kind: `SELECT ${COLUMNS} FROM kind_segments AS k CROSS JOIN segments ON segments.first = k.first
    WHERE k.first >= ? AND k.kind = ? ORDER BY k.first LIMIT 1`,
  both: `SELECT ${COLUMNS} FROM session_segments AS s
    CROSS JOIN kind_segments AS k ON k.kind = ?3 AND k.first = s.first CROSS JOIN segments ON segments.first = s.first
    WHERE s.first >= ?1 AND s.session = ?2 ORDER BY s.first LIMIT 1`,
} as const;

/** The statement that finds the next segment of a scan, by name. */
export function nextSegmentSql(which: keyof typeof NEXT): string {
  return NEXT[which];
}

/** Reads the segments of a database. */
export class SegmentTable {
  readonly #next: Readonly<Record<keyof typeof NEXT, StatementSync>>;
  readonly #last: StatementSync;
  readonly #holding: StatementSync;
  readonly #form: StatementSync;
  readonly #session: StatementSync;

  constructor(database: DatabaseSync) {
    this.#next = {
      all: database.prepare(NEXT.all),
      session: database.prepare(NEXT.session),
      kind: database.prepare(NEXT.kind),
      both: database.prepare(NEXT.both),
    };
    this.#last = database.prepare("SELECT first + count AS size, note FROM segments ORDER BY first DESC LIMIT 1");
    this.#holding = database.prepare("SELECT max(first) AS first FROM segments WHERE first <= ?");
    this.#form = database.prepare("SELECT form FROM segments WHERE first <= ? ORDER BY first DESC LIMIT 1");
    this.#session = database.prepare("SELECT number FROM sessions WHERE name = ?");
  }

  /** Size of the log and its newest note. */
  head(): LogHead | null {
    const row = this.#last.get();
    return row === undefined ? null : { size: integer(row["size"]), note: text(row["note"]) };
  }

  /**
   * The next segment from the one that holds `index`, of those the filter asks for; `null` after the last.
   * @throws AUDIT_STORE_MISMATCH when it holds what no append stored
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

  #row(index: number, { session, kind }: ScanFilter): Record<string, SQLOutputValue> | undefined {
    const holding = this.#holding.get(index)?.["first"] ?? 0;
    const rare = kind !== undefined && !FREQUENT_KINDS.has(kind) ? kind : undefined;
    if (session === undefined)
      return rare === undefined ? this.#next.all.get(holding) : this.#next.kind.get(holding, rare);
    const number = this.#session.get(session)?.["number"];
    if (number === undefined) return undefined;
    return rare === undefined ? this.#next.session.get(holding, number) : this.#next.both.get(holding, number, rare);
  }
}

function decoded(row: Record<string, SQLOutputValue>): EncodedSegment {
  const [first, count] = [integer(row["first"]), integer(row["count"])];
  if (first < 0 || count < 1) throw malformedStore(`a segment of ${count} records at ${first}`);
  const [form, length] = [integer(row["form"]), integer(row["length"])];
  return { first, count, form, length, note: text(row["note"]), bytes: blob(row["records"]) };
}
