/** A gateway whose audit store is a PostgreSQL database: calls, restarts, its log exported and checked. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { PostgresServer, postgresPrograms } from "../../host-proxy/src/testing/postgres-server.ts";
import { cmcp } from "../gateway/cli.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { startGateway } from "../gateway/gateway.ts";
import { startDeployment, type Deployment } from "../gateway/principals.ts";

const programs = postgresPrograms();
const MISSING = "PostgreSQL is missing (apt-get install postgresql)";
const skip = programs === null && process.env["CMCP_REQUIRE_ALL"] === undefined ? MISSING : false;

describe("a gateway over PostgreSQL", { skip }, () => {
  let folder = "";
  let server: PostgresServer;
  let deployment: Deployment;

  before(async () => {
    assert.ok(programs !== null, MISSING);
    folder = await mkdtemp(join(tmpdir(), "cmcp-log-"));
    server = new PostgresServer(programs);
    await server.start();
    deployment = await startDeployment({ alice: null }, [], (config, env) =>
      startGateway(config, { ...env, CMCP_AUDIT_DATABASE_URL: server.url() }),
    );
  });
  after(async () => {
    await deployment?.close();
    await server?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  test("keeps its log there, continues it after a restart, and it is exported from there", async () => {
    const alice = deployment.agent(deployment.tokenOf("alice"));
    const call = async (label: string) =>
      receiptOf((await alice.call("get_patient_record", { patient_id: "P-1001" }, { label })).body);
    const first = await call("first");
    const closed = await alice.request(`/sessions/${first.session_id}/close`, { method: "POST" });
    assert.equal(closed.status, 200, closed.text);
    await deployment.restart();
    const second = await call("second");
    assert.ok(second.log.index > first.log.index);
    assert.ok(!existsSync(join(deployment.folder, "deployment/audit.db")), "no file is written");

    const env = { AUDIT_URL: server.url() };
    const store = ["--store-env", "AUDIT_URL", "--origin", "cmcp.localhost/0"];
    const log = join(folder, "log");
    const exported = await cmcp(["log", "export", ...store, log], env);
    assert.equal(exported.code, 0, exported.stderr);
    await Promise.all(
      Object.entries({ "claim.json": closed.text, "receipt.json": JSON.stringify(first) }).map(async ([name, text]) =>
        writeFile(join(folder, name), text),
      ),
    );
    for (const command of [
      ["log", "fsck", ...store],
      ["log", "verify", log],
      [
        "verify",
        join(folder, "claim.json"),
        "--receipt",
        join(folder, "receipt.json"),
        "--log",
        log,
        "--allow-software-only",
      ],
    ]) {
      const { code, stdout, stderr } = await cmcp(command, env);
      assert.equal(code, 0, `${command.join(" ")}\n${stdout}${stderr}`);
    }
  });

  test("a database without the log is refused, and left as it is", async () => {
    const other = ["--store-env", "AUDIT_URL", "--origin", "gateway.example/9"];
    const { code, stderr } = await cmcp(["log", "fsck", ...other], { AUDIT_URL: server.url() });
    assert.equal(code, 10, stderr);
    assert.match(stderr, /it has no log of this origin/);
    server.sql("CREATE DATABASE empty");
    const empty = await cmcp(["log", "fsck", ...other], { AUDIT_URL: server.url("empty") });
    assert.equal(empty.code, 10);
    assert.match(empty.stderr, /it has no audit store/);
    assert.equal(server.sql("SELECT to_regnamespace('cmcp_log') IS NULL", "empty"), "t");
  });
});
