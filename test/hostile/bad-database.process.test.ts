/** A gateway as it is shipped, started over a PostgreSQL database that is slow, wrong, full, of another schema, or not its own. */
import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { PostgresServer, postgresPrograms } from "../../host-proxy/src/testing/postgres-server.ts";
import { cmcp } from "../gateway/cli.ts";
import { clientOf } from "../gateway/client.ts";
import { deployQuickstart, listenOnAnyPort } from "../gateway/deployment.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { developmentEnvironment, startGateway, StartRefused, type Gateway } from "../gateway/gateway.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";

const TOKEN = "bad-database-test-token-0123456789abcd";
const programs = postgresPrograms();
const MISSING = "PostgreSQL is missing (apt-get install postgresql)";
const skip = programs === null && process.env["CMCP_REQUIRE_ALL"] === undefined ? MISSING : false;

describe("a start over a PostgreSQL database", { skip }, () => {
  let folder = "";
  let server: PostgresServer;
  let records: RecordsServer;
  let config = "";

  before(async () => {
    assert.ok(programs !== null, MISSING);
    folder = await mkdtemp(join(tmpdir(), "cmcp-bad-database-"));
    server = new PostgresServer(programs);
    await server.start();
    records = await startRecordsServer();
    config = await deployQuickstart(join(folder, "deployment"), {
      everythingPort: 1,
      recordsPort: records.port,
      recordsFingerprint: records.fingerprint,
    });
    await listenOnAnyPort(config);
    const first = await start("kept");
    assert.equal(await decision(first, "send_message", { to: "x", text: "x" }), "allow");
    assert.equal(await first.stop(), 0);
  });
  after(async () => {
    await records?.close();
    await server?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  const start = async (database: string, path = config): Promise<Gateway> => {
    if (server.sql(`SELECT count(*) FROM pg_database WHERE datname = '${database}'`) === "0")
      server.sql(`CREATE DATABASE ${database}`);
    return await startGateway(path, {
      ...developmentEnvironment(TOKEN),
      CMCP_AUDIT_DATABASE_URL: server.url(database),
    });
  };
  const decision = async (gateway: Gateway, tool: string, args: object): Promise<string> =>
    receiptOf((await clientOf(gateway, TOKEN).call(tool, "s", args)).body).decision;
  /** What a start is refused with. */
  const refusal = async (database: string): Promise<string> => {
    const thrown: unknown = await start(database).then(
      (gateway) => gateway.kill(),
      (error: unknown) => error,
    );
    assert.ok(thrown instanceof StartRefused, "the start is refused");
    return thrown.output;
  };
  /** A copy of the database that a gateway left. */
  const copied = (name: string): string => {
    server.sql(`CREATE DATABASE ${name} TEMPLATE kept`);
    return name;
  };

  for (const [name, change] of [
    [
      "to_read",
      `ALTER TABLE cmcp_log.version RENAME TO known;
        CREATE VIEW cmcp_log.version AS SELECT version FROM cmcp_log.known WHERE pg_sleep(60) IS NOT NULL`,
    ],
    [
      "to_write",
      `CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;
        CREATE TRIGGER wait BEFORE INSERT ON cmcp_log.names FOR EACH ROW EXECUTE FUNCTION wait()`,
    ],
  ] as const)
    test(`that is slow ${name.replace("_", " ")} is refused, long before it answers: AUDIT_STORE_UNAVAILABLE`, async () => {
      server.sql(change, copied(name));
      assert.match(await refusal(name), /AUDIT_STORE_UNAVAILABLE/);
    });

  for (const [name, change, code] of [
    ["sizes", "UPDATE cmcp_log.origins SET size = size - 1", "AUDIT_STORE_MISMATCH"],
    ["notes", "UPDATE cmcp_log.origins SET note = substr(note, 1, 40)", "AUDIT_STORE_MISMATCH"],
    ["types", "ALTER TABLE cmcp_log.kinds ALTER COLUMN latest TYPE text", "AUDIT_STORE_DAMAGED"],
    ["batches", "UPDATE cmcp_log.segments SET records = substr(records, 1, 100)", "AUDIT_STORE_DAMAGED"],
    ["versions", "UPDATE cmcp_log.version SET version = 9", "AUDIT_STORE_UNAVAILABLE"],
    ["tables", "DROP TABLE cmcp_log.segments", "AUDIT_STORE_UNAVAILABLE"],
  ] as const)
    test(`that answers wrongly, or has another schema, is refused (${name}): ${code}`, async () => {
      server.sql(change, copied(name));
      assert.match(await refusal(name), new RegExp(code));
    });

  test("that runs full is refused: AUDIT_STORE_UNAVAILABLE", async () => {
    server.sql(
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON cmcp_log.names FOR EACH ROW EXECUTE FUNCTION refuse()`,
      copied("filled"),
    );
    assert.match(await refusal("filled"), /AUDIT_STORE_UNAVAILABLE/);
  });

  test("that two origins share has a log of each, and neither knows the other's past", async () => {
    const others = await Promise.all(
      ["one.example/0", "two.example/0"].map(async (origin, at) => {
        const path = join(folder, "deployment", `config-${at}.yaml`);
        await writeFile(path, await readFile(config, "utf8"));
        await appendFile(path, `log: {origin: ${origin}}\n`);
        return { origin, gateway: await start("shared", path) };
      }),
    );
    const [one, two] = others;
    assert.ok(one !== undefined && two !== undefined);
    try {
      assert.equal(await decision(one.gateway, "get_patient_record", { patient_id: "P-1001" }), "redact");
      assert.equal(await decision(one.gateway, "send_message", { to: "x", text: "x" }), "deny");
      assert.equal(await decision(two.gateway, "send_message", { to: "x", text: "x" }), "allow");
    } finally {
      for (const { gateway } of others) assert.equal(await gateway.stop(), 0);
    }
    for (const { origin } of others) {
      const args = ["log", "fsck", "--store-env", "URL", "--origin", origin, "--json"];
      const { code, stdout } = await cmcp(args, { URL: server.url("shared") });
      assert.equal(code, 0, stdout);
      assert.equal((JSON.parse(stdout) as { log: { origin: string } }).log.origin, origin);
    }
  });
});
