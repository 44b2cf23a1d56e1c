/** SQLite `application_id` of the store's file ("cMCP"), so that another database is never written to. */
export const APPLICATION_ID = 0x634d_4350;

/** Version of the tables below and of the records enclaves keep in them (their `v`), in `user_version`. */
export const SCHEMA_VERSION = 3;

/** Record numbers of one instance; its records have the positions from its own number times this. */
export const RECORDS_OF_INSTANCE = 2 ** 32;

/**
 * One row a record, never updated or deleted. `position` is the number of the instance in `instances` times 2^32, plus
 * the record's own: so it is unique for each, and an instance's records stand together in their order. The session
 * index serves the export of one session, which has no intents, the kind index the recovery at start; of the two kinds
 * that every call writes nobody asks for all. Each index costs every append a page for each session in it.
 */
export const SCHEMA = `
  CREATE TABLE instances (
    number INTEGER PRIMARY KEY,
    instance TEXT NOT NULL UNIQUE
  ) STRICT;
  CREATE TABLE records (
    position INTEGER PRIMARY KEY,
    session TEXT NOT NULL,
    kind TEXT NOT NULL,
    body BLOB NOT NULL
  ) STRICT;
  CREATE INDEX records_by_session ON records (session) WHERE kind <> 'intent';
  CREATE INDEX records_by_kind ON records (kind) WHERE kind NOT IN ('intent', 'entry');
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;
