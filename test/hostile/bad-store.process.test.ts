/** A gateway as it is shipped, started over a file of the audit store that somebody changed, holds or filled. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, rmSync, statSync } from "node:fs";
import { appendFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { clientOf } from "../gateway/client.ts";
import { deployQuickstart, listenOnAnyPort } from "../gateway/deployment.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { CLI, developmentEnvironment, startGateway, StartRefused } from "../gateway/gateway.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";

const TOKEN = "bad-store-test-token-0123456789abcdef";
const ENVIRONMENT = developmentEnvironment(TOKEN);
/** 1 GiB of zeros, in some 32 KiB. */
const BOMB = zstdCompressSync(Buffer.alloc(2 ** 30));
/** Messages whose records fill more than a hash tile, which has 256. */
const FULL_TILE = 130;
const LAST = "first = (SELECT max(first) FROM segments)";
/** Another record than the newest snapshot is called one: the tree has to come from the host's hashes. */
const NO_SNAPSHOT = "UPDATE kinds SET latest = 1 WHERE kind = 'snapshot';";

/** What became of a start: the code of its refusal, or the history that it found and what it decided on a message. */
type Outcome = string | readonly [history: unknown, decision: string];

const codeIn = (output: string): string => /"code":"([A-Z_]+)"/.exec(output)?.[1] ?? output;
const unknown = (reason: string): Outcome => [{ state: "incomplete", reason }, "deny"];

describe("a start over a store that somebody changed", () => {
  let folder = "";
  let records: RecordsServer;
  let config = "";
  const file = (name: string): string => join(folder, "deployment", name);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-bad-store-"));
    records = await startRecordsServer();
    config = await deployQuickstart(join(folder, "deployment"), {
      everythingPort: 1,
      recordsPort: records.port,
      recordsFingerprint: records.fingerprint,
    });
    await listenOnAnyPort(config);
    mkdirSync(file("store"));
    await appendFile(config, "audit_db_path: store/audit.db\n");
    // Each instance ends with a snapshot. The principal has sent messages only.
    for (const messages of [FULL_TILE, 1]) assert.deepEqual(await start(messages), [{ state: "complete" }, "allow"]);
    copyFileSync(file("store/audit.db"), file("left.db"));
  });
  after(async () => {
    await records.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function start(messages = 1): Promise<Outcome> {
    try {
      const gateway = await startGateway(config, ENVIRONMENT);
      try {
        const client = clientOf(gateway, TOKEN);
        const { history } = await client.json("/v1/status");
        let decision = "";
        for (let sent = 0; sent < messages; sent += 1)
          ({ decision } = receiptOf((await client.call("send_message", "s", { to: "x", text: "x" })).body));
        assert.equal(await gateway.stop(), 0);
        return [history, decision];
      } finally {
        await gateway.kill();
      }
    } catch (thrown) {
      if (!(thrown instanceof StartRefused)) throw thrown;
      return codeIn(thrown.output);
    }
  }

  /** The store as it was left. */
  function restored(): DatabaseSync {
    for (const end of ["", "-wal", "-shm"]) rmSync(file(`store/audit.db${end}`), { force: true });
    copyFileSync(file("left.db"), file("store/audit.db"));
    return new DatabaseSync(file("store/audit.db"));
  }

  const changes: readonly (readonly [what: string, change: string, outcome: Outcome])[] = [
    ["nothing", "SELECT 1", [{ state: "complete" }, "allow"]],
    [
      "a batch that is cut",
      `UPDATE segments SET records = substr(records, 1, 100) WHERE ${LAST}`,
      "AUDIT_STORE_DAMAGED",
    ],
    ["a batch that is gone", `DELETE FROM segments WHERE ${LAST}`, unknown("no-snapshot")],
    [
      "a hash tile that is cut, where the tree has to come from it",
      `UPDATE tiles SET hashes = CAST(substr(hashes, 1, 100) AS BLOB); ${NO_SNAPSHOT}`,
      "AUDIT_STORE_DAMAGED",
    ],
    [
      "a hash tile that is cut",
      "UPDATE tiles SET hashes = CAST(substr(hashes, 1, 100) AS BLOB)",
      "AUDIT_STORE_UNAVAILABLE",
    ],
    [
      "a hash tile with other hashes, where the tree has to come from it",
      `UPDATE tiles SET hashes = zeroblob(length(hashes)); ${NO_SNAPSHOT}`,
      "AUDIT_STORE_MISMATCH",
    ],
    [
      "hash tiles that are gone, where the tree has to come from them",
      `DELETE FROM tiles; ${NO_SNAPSHOT}`,
      "AUDIT_STORE_DAMAGED",
    ],
    [
      "a snapshot behind the end of the log",
      "UPDATE kinds SET latest = 100000 WHERE kind = 'snapshot'",
      unknown("no-snapshot"),
    ],
    [
      "a head whose signature is another",
      `UPDATE segments SET note = substr(note, 1, length(note) - 5) || 'AAA=' || char(10) WHERE ${LAST}`,
      unknown("unbelieved"),
    ],
    ["a head that is cut", `UPDATE segments SET note = substr(note, 1, 40) WHERE ${LAST}`, "AUDIT_STORE_MISMATCH"],
    ["a head of another size", `UPDATE segments SET count = count + 1 WHERE ${LAST}`, "AUDIT_STORE_MISMATCH"],
    ["a schema of another version", "PRAGMA user_version = 4", "AUDIT_STORE_UNAVAILABLE"],
    ["a schema without a table", "DROP TABLE kinds", "AUDIT_STORE_UNAVAILABLE"],
    ["the store of another program", "PRAGMA application_id = 1", "AUDIT_STORE_UNAVAILABLE"],
  ];
  for (const [what, change, outcome] of changes)
    test(`${what}: ${typeof outcome === "string" ? outcome : outcome[1]}`, async () => {
      const database = restored();
      database.exec(change);
      database.close();
      assert.deepEqual(await start(), outcome);
    });

  test("a batch with one other byte, in the snapshot: deny", async () => {
    const database = restored();
    const bytes = database.prepare(`SELECT records FROM segments WHERE ${LAST}`).get()?.["records"];
    assert.ok(bytes instanceof Uint8Array);
    const at = Buffer.from(bytes).indexOf("believed_from");
    assert.ok(at > 0, "the snapshot is in it");
    bytes[at] = 0x42;
    database.prepare(`UPDATE segments SET records = ? WHERE ${LAST}`).run(bytes);
    database.close();
    assert.deepEqual(await start(), unknown("no-snapshot"));
  });

  for (const length of [1_000, 2 ** 30])
    test(`a batch that is compressed to nothing and says ${length} bytes: AUDIT_STORE_DAMAGED`, async () => {
      const database = restored();
      database.prepare(`UPDATE segments SET form = 1, length = ?, records = ? WHERE ${LAST}`).run(length, BOMB);
      database.close();
      assert.equal(await start(), "AUDIT_STORE_DAMAGED");
    });

  test("a store that another process holds: AUDIT_STORE_UNAVAILABLE", async () => {
    const database = restored();
    database.exec("BEGIN IMMEDIATE");
    assert.equal(await start(), "AUDIT_STORE_UNAVAILABLE");
    database.exec("ROLLBACK");
    database.close();
    assert.deepEqual(await start(), [{ state: "complete" }, "allow"], "and it goes on once it is free");
  });

  test("a full disk: AUDIT_STORE_UNAVAILABLE", async (t) => {
    if (spawnSync("unshare", ["-Urm", "true"]).status !== 0)
      return t.skip("user namespaces are forbidden here, so no small file system can be mounted");
    /** The first line of a start on a file system with so many bytes beside the store. */
    const first = async (room: number): Promise<string> => {
      const size = Math.ceil(statSync(file("left.db")).size / 4096) * 4096 + room;
      const mounted = `mount -t tmpfs -o size=${size} tmpfs "$1" && cp "$2" "$1/audit.db" && shift 2 && exec "$@"`;
      const command = [
        process.execPath,
        "--disable-warning=ExperimentalWarning",
        CLI,
        "start",
        "--config",
        config,
        "--json",
      ];
      const child = spawn("unshare", ["-Urm", "sh", "-c", mounted, "sh", file("store"), file("left.db"), ...command], {
        env: { ...process.env, ...ENVIRONMENT },
        stdio: ["ignore", "pipe", "ignore"],
      });
      const exited = once(child, "exit");
      const line = once(createInterface({ input: child.stdout }), "line");
      const said = await Promise.race([line.then(String), exited.then(() => "")]);
      child.kill("SIGINT");
      await exited;
      return said;
    };
    assert.match(await first(32 * 1024 * 1024), /"url":/, "with room it starts");
    // Room for what SQLite shares between its connections, and for little more.
    assert.equal(codeIn(await first(40 * 1024)), "AUDIT_STORE_UNAVAILABLE");
  });
});
