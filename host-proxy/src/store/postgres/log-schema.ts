/** Version of the tables below, in `version`. */
export const SCHEMA_VERSION = 2;

/** Oldest server, as `server_version_num` has it. */
export const OLDEST_SERVER = 150_000;

/** Advisory lock of who creates the tables or a partition. */
export const CREATION_LOCK = 0x634d_4350;

/**
 * The tables of every origin, in a schema of their own. `segments` is partitioned by origin and, within it, by the day
 * (UTC) on which a batch came; `days` has the first index of each. `origins` has the size and the note of each log: the
 * row that an append changes, and so the fence between two writers. The rest is as in the SQLite engine. Names are
 * bytes, so that no encoding of the database matters.
 */
export const SCHEMA = `
  CREATE SCHEMA cmcp_log;
  CREATE TABLE cmcp_log.version (version integer NOT NULL);
  INSERT INTO cmcp_log.version VALUES (${SCHEMA_VERSION});
  CREATE TABLE cmcp_log.origins (
    origin integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name bytea NOT NULL UNIQUE,
    size bigint NOT NULL DEFAULT 0,
    note bytea NOT NULL DEFAULT ''
  ) WITH (fillfactor = 50);
  CREATE TABLE cmcp_log.cosigned (
    origin integer PRIMARY KEY,
    size bigint NOT NULL,
    note bytea NOT NULL
  ) WITH (fillfactor = 50);
  CREATE TABLE cmcp_log.days (
    origin integer NOT NULL,
    first bigint NOT NULL,
    day date NOT NULL,
    PRIMARY KEY (origin, first),
    UNIQUE (origin, day)
  );
  CREATE TABLE cmcp_log.segments (
    origin integer NOT NULL,
    day date NOT NULL,
    first bigint NOT NULL,
    count integer NOT NULL,
    form integer NOT NULL,
    length integer NOT NULL,
    note bytea NOT NULL,
    records bytea NOT NULL,
    PRIMARY KEY (origin, day, first)
  ) PARTITION BY LIST (origin);
  CREATE TABLE cmcp_log.names (
    origin integer NOT NULL,
    name bigint NOT NULL,
    first bigint NOT NULL,
    PRIMARY KEY (origin, name, first)
  );
  CREATE TABLE cmcp_log.kinds (
    origin integer NOT NULL,
    kind bytea NOT NULL,
    latest bigint NOT NULL,
    PRIMARY KEY (origin, kind)
  ) WITH (fillfactor = 50);
  CREATE TABLE cmcp_log.tiles (
    origin integer NOT NULL,
    level integer NOT NULL,
    index bigint NOT NULL,
    hashes bytea NOT NULL,
    PRIMARY KEY (origin, level, index)
  );
  ALTER TABLE cmcp_log.tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;
`;

/** The partition of an origin. */
export function originPartition(origin: number): string {
  return `CREATE TABLE IF NOT EXISTS cmcp_log.segments_${origin} PARTITION OF cmcp_log.segments
    FOR VALUES IN (${origin}) PARTITION BY RANGE (day)`;
}

/** Makes the partition of a day, `YYYY-MM-DD`, one process at a time. What is compacted is not compressed again by the server. */
export function dayPartition(origin: number, day: string): string {
  const next = new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
  const name = `cmcp_log.segments_${origin}_${day.replaceAll("-", "")}`;
  return `SELECT pg_advisory_xact_lock(${CREATION_LOCK});
    CREATE TABLE IF NOT EXISTS ${name} PARTITION OF cmcp_log.segments_${origin}
      FOR VALUES FROM ('${day}') TO ('${next}');
    ALTER TABLE ${name} ALTER COLUMN records SET STORAGE EXTERNAL`;
}
