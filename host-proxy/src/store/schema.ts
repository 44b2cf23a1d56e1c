/** SQLite `application_id` of the store's file ("cMCP"), so that another database is never written to. */
export const APPLICATION_ID = 0x634d_4350;

/** Version of the tables below, kept in `user_version`. */
export const SCHEMA_VERSION = 1;

/**
 * One row a record. `position` is the order of insertion; a row is never updated or deleted, so SQLite's own numbers
 * only rise, and `AUTOINCREMENT`, which writes one more page for each record, would change nothing. The session index
 * serves the export of one session, the kind index the recovery at start.
 */
export const SCHEMA = `
  CREATE TABLE records (
    position INTEGER PRIMARY KEY,
    instance TEXT NOT NULL,
    seq INTEGER NOT NULL,
    session TEXT NOT NULL,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (instance, seq)
  ) STRICT;
  CREATE INDEX records_by_session ON records (session, instance, seq);
  CREATE INDEX records_by_kind ON records (kind, position);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;
