/** Statements of the store; the first parameter of each is the origin's number. */

/**
 * One batch, in one statement and so in one transaction: it changes nothing unless the log has the size that the batch
 * begins at. Parameters: first, size after, note, day, length, records, keys, kinds, their newest records, and levels,
 * indexes and hashes of tiles.
 */
export const APPEND = `
  WITH fenced AS (
    UPDATE cmcp_log.origins SET size = $3, note = $4 WHERE origin = $1 AND size = $2 RETURNING origin
  ), dated AS (
    INSERT INTO cmcp_log.days (origin, first, day) SELECT origin, $2, $5::date FROM fenced
    ON CONFLICT (origin, day) DO NOTHING
  ), stored AS (
    INSERT INTO cmcp_log.segments (origin, day, first, count, form, length, note, records)
    SELECT origin, $5::date, $2, $3::bigint - $2::bigint, 0, $6, $4, $7 FROM fenced
  ), named AS (
    INSERT INTO cmcp_log.names (origin, name, first) SELECT origin, key, $2 FROM fenced, unnest($8::bigint[]) AS key
  ), counted AS (
    INSERT INTO cmcp_log.kinds (origin, kind, latest)
    SELECT origin, kind, latest FROM fenced, unnest($9::bytea[], $10::bigint[]) AS newest (kind, latest)
    ON CONFLICT (origin, kind) DO UPDATE SET latest = excluded.latest
  ), tiled AS (
    INSERT INTO cmcp_log.tiles (origin, level, index, hashes)
    SELECT origin, level, index, hashes
    FROM fenced, unnest($11::integer[], $12::bigint[], $13::bytea[]) AS tile (level, index, hashes)
  )
  SELECT count(*) AS count FROM fenced`;

export const HEAD = "SELECT size, note FROM cmcp_log.origins WHERE origin = $1";

/** Keeps a head with its cosignatures, unless as new a one is kept; the server's disk is not waited for. Parameters: size and note. */
export const KEEP_COSIGNED = `
  INSERT INTO cmcp_log.cosigned (origin, size, note)
  SELECT $1, $2, $3 WHERE set_config('synchronous_commit', 'off', true) = 'off'
  ON CONFLICT (origin) DO UPDATE SET size = excluded.size, note = excluded.note WHERE excluded.size > cosigned.size`;

export const COSIGNED = "SELECT size, note FROM cmcp_log.cosigned WHERE origin = $1";
export const LATEST = "SELECT latest FROM cmcp_log.kinds WHERE origin = $1 AND kind = $2";
export const LAST_DAY = "SELECT max(day)::text AS day FROM cmcp_log.days WHERE origin = $1";
export const TILES = `SELECT hashes FROM cmcp_log.tiles
  WHERE origin = $1 AND level = $2 AND index >= $3 AND index < $4 ORDER BY index`;

/** The segment that holds an index, in the partition of its day. */
const HOLDING = (columns: string, index: string): string => `
  SELECT ${columns} FROM cmcp_log.segments AS segment
  WHERE segment.origin = $1 AND segment.first <= ${index} AND segment.day = (
    SELECT day FROM cmcp_log.days WHERE days.origin = $1 AND days.first <= ${index} ORDER BY days.first DESC LIMIT 1
  ) ORDER BY segment.first DESC LIMIT 1`;
const COLUMNS = "day::text AS day, first, count, form, length, note, records";

export const FORM_AT = HOLDING("form", "$2");

/** The next segment from the one that holds an index, by how many names it must have. */
export const NEXT_SEGMENT: readonly string[] = [
  HOLDING(COLUMNS, "$2"),
  ...["", "AND EXISTS (SELECT FROM cmcp_log.names AS o WHERE o.origin = $1 AND o.name = $4 AND o.first = n.first)"].map(
    (other) => `
  SELECT found.* FROM (
    SELECT n.first FROM cmcp_log.names AS n
    WHERE n.origin = $1 AND n.name = $3 AND n.first >= (${HOLDING("first", "$2")}) ${other}
    ORDER BY n.first LIMIT 1
  ) AS named, LATERAL (${HOLDING(COLUMNS, "named.first")}) AS found`,
  ),
];

/**
 * Puts a segment in the place of those of one form and day. Nothing is changed unless they are as they were read: as many,
 * and with as many bytes, since an erased body makes a segment shorter. They are locked first, so that whoever replaces
 * one of them waits here for another who does.
 * Parameters: day, first, end, number and decoded bytes of the old, count, form, length, note, records, names and firsts
 * of the old, and their form.
 */
export const REPLACE = `
  WITH held AS (
    SELECT length FROM cmcp_log.segments
    WHERE origin = $1 AND day = $2::date AND first >= $3 AND first < $4 AND form = $14 ORDER BY first FOR UPDATE
  ), same AS (
    SELECT count(*) = $5::bigint AND coalesce(sum(length), 0) = $6::bigint AS same FROM held
  ), put AS (
    UPDATE cmcp_log.segments SET count = $7, form = $8, length = $9, note = $10, records = $11
    FROM same WHERE same.same AND origin = $1 AND day = $2::date AND first = $3 AND form = $14 RETURNING origin
  ), gone AS (
    DELETE FROM cmcp_log.segments AS old USING put
    WHERE old.origin = put.origin AND old.day = $2::date AND old.first > $3 AND old.first < $4 AND old.form = $14
  ), unnamed AS (
    DELETE FROM cmcp_log.names AS old USING put, unnest($12::bigint[], $13::bigint[]) AS name (key, first)
    WHERE old.origin = put.origin AND old.name = name.key AND old.first = name.first AND old.first > $3
  ), named AS (
    INSERT INTO cmcp_log.names (origin, name, first)
    SELECT DISTINCT put.origin, key, $3::bigint FROM put, unnest($12::bigint[]) AS key
    ON CONFLICT DO NOTHING
  )
  SELECT count(*) AS count FROM put`;
