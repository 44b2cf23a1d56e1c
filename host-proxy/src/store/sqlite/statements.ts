import type { DatabaseSync, StatementSync } from "node:sqlite";

const STATEMENTS = {
  begin: "BEGIN IMMEDIATE",
  commit: "COMMIT",
  rollback: "ROLLBACK",
  segment: "INSERT INTO segments (first, count, form, length, note, records) VALUES (?, ?, ?, ?, ?, ?)",
  name: "INSERT INTO names (name, first) VALUES (?, ?) ON CONFLICT DO NOTHING",
  unname: "DELETE FROM names WHERE name = ? AND first = ?",
  kind: "INSERT INTO kinds (kind, latest) VALUES (?, ?) ON CONFLICT DO UPDATE SET latest = excluded.latest",
  latest: "SELECT latest FROM kinds WHERE kind = ?",
  keep: `INSERT INTO cosigned (one, size, note) VALUES (1, ?, ?)
    ON CONFLICT DO UPDATE SET size = excluded.size, note = excluded.note WHERE excluded.size > cosigned.size`,
  cosigned: "SELECT size, note FROM cosigned",
  tile: "INSERT INTO tiles (place, hashes) VALUES (?, ?)",
  stored: "SELECT hashes FROM tiles WHERE place = ?",
  held: `SELECT count(*) AS count, coalesce(sum(length), 0) AS bytes FROM segments
    WHERE first >= ? AND first < ? AND form = ?`,
  remove: "DELETE FROM segments WHERE first > ? AND first < ?",
  compacted: "UPDATE segments SET count = ?, form = ?, length = ?, note = ?, records = ? WHERE first = ?",
} as const;

/** Each statement of the store, ready to run. */
export type Statements = Readonly<Record<keyof typeof STATEMENTS, StatementSync>>;

/** Prepares the statements for a database that has the tables. */
export function preparedStatements(database: DatabaseSync): Statements {
  const entries = Object.entries(STATEMENTS).map(([name, sql]) => [name, database.prepare(sql)] as const);
  return Object.fromEntries(entries) as Record<keyof typeof STATEMENTS, StatementSync>;
}
