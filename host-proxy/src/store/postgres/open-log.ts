import { CmcpError } from "@cmcp/boundary";
import type { Pool, PoolClient } from "pg";
import { integer, type PostgresStoreOptions } from "./connection.ts";
import { CREATION_LOCK, OLDEST_SERVER, originPartition, SCHEMA, SCHEMA_VERSION } from "./log-schema.ts";

/** Which log is opened, and whether it must be there. */
type Opened = Pick<PostgresStoreOptions, "origin" | "existing" | "durable">;

/**
 * Creates the tables and the origin where they are missing, unless they must be there.
 * @returns the origin's number
 * @throws AUDIT_STORE_UNAVAILABLE for a server that is too old or does not wait for its disk, tables of another version,
 *   or a log that must be there
 */
export async function openLog(pool: Pool, log: Opened): Promise<number> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    const number = await prepare(client, log);
    await client.query("COMMIT");
    client.release();
    return number;
  } catch (thrown) {
    // Closed, whatever state it is in; that ends its transaction.
    client.release(true);
    throw thrown;
  }
}

async function prepare(client: PoolClient, { origin, existing, durable }: Opened): Promise<number> {
  const one = async (sql: string, values: unknown[] = []): Promise<Record<string, unknown>> =>
    (await client.query<Record<string, unknown>>(sql, values)).rows[0] ?? {};
  await client.query("SELECT pg_advisory_xact_lock($1)", [CREATION_LOCK]);
  const server = await one("SELECT current_setting('server_version_num')::integer AS version");
  if (integer(server["version"]) < OLDEST_SERVER) throw unfit("PostgreSQL 15 or newer is needed");
  // What is asked for with each connection can be overruled by the URL, or by a pooler that leaves it out.
  const { commit } = await one("SELECT current_setting('synchronous_commit') AS commit");
  if (durable && commit === "off") throw unfit("its commits do not wait for the disk: synchronous_commit is off");
  const { there } = await one("SELECT to_regnamespace('cmcp_log') IS NOT NULL AS there");
  if (there !== true && existing === true) throw unfit("it has no audit store");
  if (there !== true) await client.query(SCHEMA);
  const { known } = await one("SELECT to_regclass('cmcp_log.version') IS NOT NULL AS known");
  const found = known === true ? await one("SELECT max(version) AS version FROM cmcp_log.version") : {};
  if (found["version"] !== SCHEMA_VERSION) throw unfit("its schema cmcp_log is not an audit store of this version");
  const name = Buffer.from(origin);
  const ORIGIN = "SELECT origin FROM cmcp_log.origins WHERE name = $1";
  const row = await one(ORIGIN, [name]);
  if (row["origin"] !== undefined) return integer(row["origin"]);
  if (existing === true) throw unfit("it has no log of this origin");
  await client.query("INSERT INTO cmcp_log.origins (name) VALUES ($1)", [name]);
  const number = integer((await one(ORIGIN, [name]))["origin"]);
  await client.query(originPartition(number));
  return number;
}

function unfit(why: string): CmcpError {
  return new CmcpError("AUDIT_STORE_UNAVAILABLE", `the audit store (PostgreSQL) cannot be opened: ${why}`);
}
