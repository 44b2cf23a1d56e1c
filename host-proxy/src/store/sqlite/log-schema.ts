/** SQLite `application_id` of the store's file ("cMCP"), so that another database is never written to. */
export const APPLICATION_ID = 0x634d_4350;

/** Version of the tables below, in `user_version`. */
export const SCHEMA_VERSION = 5;

/** A tile's row: its level times this, plus its index. */
export const TILES_OF_LEVEL = 2 ** 40;

/**
 * A segment is a batch as it came, or what several of them were compacted to: together they are the whole log, without
 * gaps. `form` says how `records` is encoded and `length` how many bytes it has decoded; `note` is that of its last
 * batch. `names` says in which segments a session's records and those of a rare kind are (`nameKey`), `kinds` which
 * record of one is the newest. `cosigned` has one row, the newest head with its cosignatures. Each index costs every
 * append a page for each session in it.
 */
export const SCHEMA = `
  CREATE TABLE segments (
    first INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    form INTEGER NOT NULL,
    length INTEGER NOT NULL,
    note TEXT NOT NULL,
    records BLOB NOT NULL
  ) STRICT;
  CREATE TABLE names (name INTEGER NOT NULL, first INTEGER NOT NULL, PRIMARY KEY (name, first)) STRICT, WITHOUT ROWID;
  CREATE TABLE kinds (kind TEXT PRIMARY KEY, latest INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE cosigned (one INTEGER PRIMARY KEY CHECK (one = 1), size INTEGER NOT NULL, note TEXT NOT NULL) STRICT;
  CREATE TABLE tiles (place INTEGER PRIMARY KEY, hashes BLOB NOT NULL) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;
