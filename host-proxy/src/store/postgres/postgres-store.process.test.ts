import assert from "node:assert/strict";
import { after, test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { PostgresServer, postgresPrograms } from "../../testing/postgres-server.ts";
import { archiveSuite, type ArchivingEngine } from "../../testing/archive-suite.ts";
import { erasureSuite } from "../../testing/erasure-suite.ts";
import { batch, bodies, read, record } from "../../testing/log-records.ts";
import { retentionSuite } from "../../testing/retention-suite.ts";
import { storeSuite } from "../../testing/store-suite.ts";
import { checkLog } from "../check-log.ts";
import type { LogStore } from "../log-store.ts";
import { PostgresStore } from "./postgres-store.ts";

const programs = postgresPrograms();
if (programs === null) {
  const why = "PostgreSQL is missing (apt-get install postgresql)";
  test("PostgreSQL keeps a log", { skip: process.env["CMCP_REQUIRE_ALL"] === undefined ? why : false }, () =>
    assert.fail(why),
  );
} else {
  const server = new PostgresServer(programs);
  after(async () => server.remove());
  await server.start();
  withServer(server);
}

/** Appends one batch after the other, each again until it is acknowledged. */
class Load {
  readonly #store: LogStore;
  readonly #ended: Promise<void>;
  /** Records that were acknowledged. */
  #size = 0;
  #running = true;

  constructor(store: LogStore) {
    this.#store = store;
    this.#ended = this.#run();
  }

  async #run(): Promise<void> {
    while (this.#running)
      try {
        await this.#store.append(batch(this.#size, record(String(this.#size)), record("x".repeat(2_000))));
        this.#size += 2;
      } catch (thrown) {
        assert.equal((thrown as { code?: unknown }).code, "AUDIT_STORE_UNAVAILABLE");
        await delay(20);
      }
  }

  /** Waits until that many more are acknowledged. */
  async grow(records: number): Promise<void> {
    for (const end = this.#size + records; this.#size < end; ) await delay(5);
  }

  /** The number of records that were acknowledged. */
  async end(): Promise<number> {
    this.#running = false;
    await this.#ended;
    return this.#size;
  }
}

function withServer(server: PostgresServer): void {
  let origins = 0;
  const origin = (): string => `log.example/${(origins += 1)}`;
  const open = async (name: string, durable = true): Promise<PostgresStore> =>
    PostgresStore.open({ url: server.url(), origin: name, durable, answerMs: 10_000 });

  storeSuite({
    name: "PostgreSQL",
    runs: 5,
    shared: true,
    create: async (t) => {
      const name = origin();
      const opened: PostgresStore[] = [];
      t.after(async () => Promise.all(opened.map(async (store) => store.close())));
      const again = async (): Promise<PostgresStore> => {
        const store = await open(name);
        opened.push(store);
        return store;
      };
      return { store: await again(), again };
    },
  });

  const archiving: ArchivingEngine = {
    name: "PostgreSQL",
    create: async (_, archive) => {
      const options = archive === undefined ? {} : { archive };
      return PostgresStore.open({ url: server.url(), origin: origin(), durable: true, ...options });
    },
  };
  archiveSuite(archiving);
  retentionSuite(archiving);
  erasureSuite(archiving);

  void test("a dump that is restored elsewhere is a store again", async () => {
    const store = await open("dumped.example/1");
    for (let first = 0; first < 600; first += 60)
      await store.append(batch(first, ...Array.from({ length: 60 }, (_, at) => record(String(first + at)))));
    await store.compact({ keep: 100, records: 100 });
    const [records, checked] = [await read(store), await checkLog(store)];
    server.sql("CREATE DATABASE restored");
    server.copy("postgres", "restored");
    await store.append(batch(600, record("after the dump")));
    await store.close();
    const url = server.url("restored");
    const restored = await PostgresStore.open({ url, origin: "dumped.example/1", durable: true });
    assert.deepEqual([await read(restored), await checkLog(restored)], [records, checked]);
    await restored.append(batch(600, record("goes on")));
    await restored.close();
  });

  /** Two stores of one log with a record, and how many of the server's sessions wait for the row of an origin. */
  async function twoStores(t: TestContext) {
    const name = origin();
    const options = { url: server.url(), origin: name, durable: true, holdMs: 60_000 };
    const [busy, next] = [await PostgresStore.open(options), await PostgresStore.open(options)];
    const short = await PostgresStore.open({ ...options, holdMs: 100 });
    t.after(async () => Promise.all([busy, next, short].map(async (store) => store.close())));
    await busy.append(batch(0, record("0")));
    const waits = async (): Promise<void> => {
      const sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%fenced%'";
      for (const end = Date.now() + 5_000; server.sql(sql) !== "1"; await delay(20))
        assert.ok(Date.now() < end, "the append of another process waits");
    };
    return { busy, next, short, waits };
  }

  void test("who holds the log appends next, and whoever waited is refused", async (t) => {
    const { busy, next, waits } = await twoStores(t);
    await next.hold();
    const refused = assert.rejects(busy.append(batch(1, record("busy"))), { code: "AUDIT_STORE_MISMATCH" });
    await waits();
    assert.equal((await next.head())?.size, 1);
    await next.append(batch(1, record("next")));
    await refused;
    await next.append(batch(2, record("and on")));
    assert.deepEqual(await bodies(busy), ["0", "next", "and on"]);
  });

  void test("a log that is let go of is written on by whoever waited", async (t) => {
    const { busy, next, short, waits } = await twoStores(t);
    await next.hold();
    const appended = busy.append(batch(1, record("busy")));
    await waits();
    await next.close();
    await appended;
    await short.hold();
    await busy.append(batch(2, record("busy")));
    await assert.rejects(short.append(batch(2, record("late"))), { code: "AUDIT_STORE_MISMATCH" });
  });

  void test("origins in one database do not see each other", async () => {
    const [one, two] = [await open("one.example/1"), await open("two.example/1")];
    await one.append(batch(0, record("of one", "s", "claim")));
    assert.deepEqual([await two.head(), await two.latest("claim"), await bodies(two)], [null, null, []]);
    await two.append(batch(0, record("of two")));
    assert.deepEqual([await bodies(one), await bodies(two)], [["of one"], ["of two"]]);
    assert.notDeepEqual(await one.tile(0, 0), await two.tile(0, 0));
    await Promise.all([one.close(), two.close()]);
  });

  void test("what was acknowledged survives kill -9 of the server, and the store goes on", async () => {
    const store = await open("killed.example/1");
    const load = new Load(store);
    for (let kills = 0; kills < 2; kills += 1) {
      await load.grow(100);
      await server.kill();
      await server.start();
      await load.grow(100);
    }
    const size = await load.end();
    const kept = await read(store);
    assert.equal(kept.length, size);
    assert.ok(kept.every(({ index, body }) => index % 2 === 1 || Buffer.from(body).toString() === String(index)));
    await store.close();
  });

  void test("commits wait for the disk whatever the role is set to, and a URL that asks for less is refused", async () => {
    server.sql("CREATE ROLE hasty SUPERUSER LOGIN; ALTER ROLE hasty SET synchronous_commit = off");
    const url = server.url("postgres", "hasty");
    assert.equal(server.sql("SELECT setconfig FROM pg_db_role_setting"), "{synchronous_commit=off}");
    const options = { url, origin: "hasty.example/1", durable: true };
    const store = await PostgresStore.open(options);
    await store.append(batch(0, record("one")));
    await store.close();
    const asking = new URL(url);
    asking.searchParams.set("options", "-c synchronous_commit=off");
    await assert.rejects(PostgresStore.open({ ...options, url: asking.href }), {
      code: "AUDIT_STORE_UNAVAILABLE",
      message: /its commits do not wait for the disk: synchronous_commit is off/,
    });
    await (await PostgresStore.open({ ...options, url: asking.href, durable: false })).close();
  });

  void test("days have partitions of their own, and a log goes over them", async () => {
    const store = await open("days.example/1");
    for (let first = 0; first < 4; first += 1) await store.append(batch(first, record(String(first))));
    await store.close();
    // As if the first two had come a day earlier.
    const number = server.sql("SELECT origin FROM cmcp_log.origins WHERE name = 'days.example/1'");
    server.sql(`CREATE TABLE cmcp_log.segments_${number}_early PARTITION OF cmcp_log.segments_${number}
        FOR VALUES FROM ('2001-01-01') TO ('2001-01-02');
      UPDATE cmcp_log.segments SET day = '2001-01-01' WHERE origin = ${number} AND first < 2;
      UPDATE cmcp_log.days SET first = 2 WHERE origin = ${number};
      INSERT INTO cmcp_log.days VALUES (${number}, 0, '2001-01-01')`);
    const later = await open("days.example/1");
    await later.append(batch(4, record("4")));
    assert.deepEqual(await bodies(later), ["0", "1", "2", "3", "4"]);
    await later.compact({ keep: 0, records: 3 });
    assert.equal(
      server
        .sql(`SELECT string_agg(concat_ws(':', day, first, count, form), ' ' ORDER BY first)
        FROM cmcp_log.segments WHERE origin = ${number}`)
        ?.replaceAll(/20[2-9]\d-\d\d-\d\d/g, "today"),
      "2001-01-01:0:2:1 today:2:3:1",
    );
    assert.deepEqual(await bodies(later), ["0", "1", "2", "3", "4"]);
    await later.close();
    // A newest day in the future stays the newest.
    server.sql(`CREATE TABLE cmcp_log.segments_${number}_29990101 PARTITION OF cmcp_log.segments_${number}
        FOR VALUES FROM ('2999-01-01') TO ('2999-01-02');
      INSERT INTO cmcp_log.days VALUES (${number}, 5, '2999-01-01')`);
    const last = await open("days.example/1");
    await last.append(batch(5, record("5")));
    assert.deepEqual(await bodies(last), ["0", "1", "2", "3", "4", "5"]);
    await last.close();
  });

  void test("a server that does not answer ends an append in bounded time, and the batch can be sent again", async () => {
    const store = await PostgresStore.open({ url: server.url(), origin: "slow/1", durable: true, answerMs: 500 });
    await store.append(batch(0, record("one")));
    const backends = server.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'cmcp'").split("\n");
    assert.ok(backends.length > 0);
    for (const pid of backends) process.kill(Number(pid), "SIGSTOP");
    const slow = {
      code: "AUDIT_STORE_UNAVAILABLE",
      message: /^the audit store \(PostgreSQL\) failed: it answers too slowly$/,
    };
    await assert.rejects(store.append(batch(1, record("two"))), slow);
    for (const pid of backends) process.kill(Number(pid), "SIGCONT");
    await store.append(batch(1, record("two")));
    // A lock that another holds is a slow answer too, which the server ends.
    const holder = new Client({ connectionString: server.url() });
    await holder.connect();
    await holder.query("BEGIN; LOCK TABLE cmcp_log.origins IN ACCESS EXCLUSIVE MODE");
    await assert.rejects(store.append(batch(2, record("three"))), slow);
    await holder.end();
    await store.append(batch(2, record("three")));
    assert.deepEqual(await bodies(store), ["one", "two", "three"]);
    await store.close();
  });

  void test("a full disk, a read-only server and no permission are said in words, and the store goes on", async () => {
    const store = await open("full.example/1");
    await store.append(batch(0, record("one")));
    for (const [state, why] of [
      ["53100", "the disk is full"],
      ["25006", "it is read-only"],
      ["42501", "the user may not do this"],
      ["58030", "input or output error"],
    ] as const) {
      server.sql(`CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN RAISE EXCEPTION 'secret text' USING ERRCODE = '${state}'; END $$;
        CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON cmcp_log.names FOR EACH ROW EXECUTE FUNCTION refuse()`);
      await assert.rejects(store.append(batch(1, record("two"))), {
        code: "AUDIT_STORE_UNAVAILABLE",
        message: `the audit store (PostgreSQL) failed: ${why}`,
      });
      assert.equal((await store.head())?.size, 1);
    }
    server.sql("DROP TRIGGER refuse ON cmcp_log.names");
    await store.append(batch(1, record("two")));
    assert.deepEqual(await bodies(store), ["one", "two"]);
    await store.close();
  });

  void test("tables that are not those of a store are refused, and so are values of another type", async () => {
    const refused = async (database: string, message: RegExp): Promise<void> =>
      assert.rejects(
        PostgresStore.open({ url: server.url(database), origin: "o", durable: true }),
        (error: { code?: unknown; message: string }) =>
          error.code === "AUDIT_STORE_UNAVAILABLE" && message.test(error.message),
      );
    await refused("nowhere", /failed: the database does not exist$/);
    await assert.rejects(PostgresStore.open({ url: server.url("postgres", "stranger"), origin: "o", durable: true }), {
      code: "AUDIT_STORE_UNAVAILABLE",
      message: /it refuses the user or the password$/,
    });
    server.sql("CREATE DATABASE other");
    server.sql("CREATE SCHEMA cmcp_log", "other");
    await refused("other", /cannot be opened: its schema cmcp_log is not an audit store of this version$/);
    server.sql("CREATE TABLE cmcp_log.version AS SELECT 9 AS version", "other");
    await refused("other", /cannot be opened: its schema cmcp_log is not an audit store of this version$/);
    server.sql("UPDATE cmcp_log.version SET version = 2", "other");
    await refused("other", /failed: its tables are not those of this version$/);

    server.sql("CREATE DATABASE typed");
    const store = await PostgresStore.open({ url: server.url("typed"), origin: "o", durable: true });
    await store.append(batch(0, record("one", "s", "claim")));
    server.sql("ALTER TABLE cmcp_log.kinds ALTER COLUMN latest TYPE text", "typed");
    await assert.rejects(store.latest("claim"), { code: "AUDIT_STORE_DAMAGED" });
    server.sql("ALTER TABLE cmcp_log.segments DROP COLUMN length", "typed");
    await assert.rejects(read(store), {
      code: "AUDIT_STORE_UNAVAILABLE",
      message: "the audit store (PostgreSQL) failed: its tables are not those of this version",
    });
    await store.close();
  });

  void test("no server is AUDIT_STORE_UNAVAILABLE", async () => {
    const nowhere = new URL("postgres://a@127.0.0.1:1/none");
    nowhere.password = "hidden";
    await assert.rejects(
      PostgresStore.open({ url: nowhere.href, origin: "o", durable: true }),
      (error: { code?: unknown; message: string }) =>
        error.code === "AUDIT_STORE_UNAVAILABLE" &&
        error.message === "the audit store (PostgreSQL) failed: it cannot be reached",
    );
  });
}
