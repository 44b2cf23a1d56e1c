import type { Pool, PoolClient } from "pg";
import type { Row } from "./connection.ts";

/** At most one transaction that has the row of an origin, so that nobody else appends to its log. The server ends it in time. */
export class AppendLock {
  readonly #pool: Pool;
  readonly #origin: number;
  readonly #holdMs: number;
  #held: PoolClient | null = null;

  constructor(pool: Pool, origin: number, holdMs: number) {
    this.#pool = pool;
    this.#origin = origin;
    this.#holdMs = holdMs;
  }

  /** Waits for the append of another process, and has the row from then on. @throws as pg */
  async take(): Promise<void> {
    this.release();
    const client = await this.#pool.connect();
    // The server, or the network, may end the connection at any time.
    client.on("error", () => this.#lost(client));
    try {
      await client.query("BEGIN");
      await client.query("SELECT set_config('idle_in_transaction_session_timeout', $1, true)", [String(this.#holdMs)]);
      await client.query("SELECT FROM cmcp_log.origins WHERE origin = $1 FOR NO KEY UPDATE", [this.#origin]);
    } catch (thrown) {
      client.release(true);
      throw thrown;
    }
    this.#held = client;
  }

  /** Runs the statement that appends: where the lock is held in its transaction, which ends with it. @throws as pg */
  async append(sql: string, values: readonly unknown[]): Promise<readonly Row[]> {
    const client = this.#held;
    if (client === null) return (await this.#pool.query<Row>(sql, [...values])).rows;
    this.#held = null;
    try {
      const { rows } = await client.query<Row>(sql, [...values]);
      await client.query("COMMIT");
      return rows;
    } finally {
      // Whatever state it is in, and with it the setting of its transaction.
      client.release(true);
    }
  }

  /** Lets others append, as before. */
  release(): void {
    const client = this.#held;
    this.#held = null;
    // Closed: the server ends its transaction then.
    client?.release(true);
  }

  #lost(client: PoolClient): void {
    if (this.#held === client) this.release();
  }
}
