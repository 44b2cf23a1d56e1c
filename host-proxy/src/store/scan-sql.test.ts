/** A scan that reads the whole file would stop the host for as long as the file is large. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { scanSql } from "./scan-sql.ts";
import { SCHEMA } from "./schema.ts";

function planOf(filter: Parameters<typeof scanSql>[0]): string {
  const database = new DatabaseSync(":memory:");
  database.exec(SCHEMA);
  const { sql, values } = scanSql(filter);
  const steps = database
    .prepare(`EXPLAIN QUERY PLAN ${sql}`)
    .all(1, 0, ...values)
    .map(({ detail }) => detail);
  database.close();
  return steps.join("; ");
}

for (const { what, filter, plan } of [
  {
    what: "one session's entries",
    filter: { session: "s", kind: "entry" },
    plan: /^SEARCH records USING INDEX records_by_session \(session=\? AND rowid>\? AND rowid<\?\)$/,
  },
  {
    what: "one session's claim",
    filter: { session: "s", kind: "claim" },
    plan: /^SEARCH records USING INDEX records_by_session \(session=\? AND rowid>\? AND rowid<\?\)$/,
  },
  {
    what: "the instances",
    filter: { kind: "instance" },
    plan: /^SEARCH records USING INDEX records_by_kind \(kind=\? AND rowid>\? AND rowid<\?\)$/,
  },
  {
    what: "all of one instance",
    filter: {},
    plan: /^SEARCH records USING INTEGER PRIMARY KEY \(rowid>\? AND rowid<\?\)$/,
  },
]) {
  test(`${what} are found without looking at other records, and without sorting`, () =>
    assert.match(planOf(filter), plan));
}
