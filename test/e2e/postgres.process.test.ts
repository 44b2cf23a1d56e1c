/** A gateway whose audit store is a PostgreSQL database: calls, restarts, its log exported and checked. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { receiptLeaf, type Receipt } from "@cmcp/audit";
import { openExisting } from "@cmcp/host-proxy/store";
import { PostgresServer, postgresPrograms } from "../../host-proxy/src/testing/postgres-server.ts";
import { cmcp } from "../gateway/cli.ts";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { startGateway, type GatewayProcess } from "../gateway/gateway.ts";
import { newOperator } from "../gateway/operator.ts";
import { startDeployment, type Deployment } from "../gateway/principals.ts";

const programs = postgresPrograms();
const MISSING = "PostgreSQL is missing (apt-get install postgresql)";
/** The public key of RFC 7748 section 6.1. */
const AUDITOR = "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo";
const skip = programs === null && process.env["CMCP_REQUIRE_ALL"] === undefined ? MISSING : false;

describe("a gateway over PostgreSQL", { skip }, () => {
  const operator = newOperator();
  let folder = "";
  let server: PostgresServer;
  let deployment: Deployment;

  before(async () => {
    assert.ok(programs !== null, MISSING);
    folder = await mkdtemp(join(tmpdir(), "cmcp-log-"));
    server = new PostgresServer(programs);
    await server.start();
    deployment = await startDeployment(
      { alice: null },
      [`operator_keys: [${operator.publicKey}]\nlog:\n  auditors: [${AUDITOR}]`],
      (config, env) => startGateway(config, { ...env, CMCP_AUDIT_DATABASE_URL: server.url() }),
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

  test("a session's key for auditors is erased there, and its log verifies as before", async () => {
    const alice = deployment.agent(deployment.tokenOf("alice"));
    const reply = await alice.call("get_patient_record", { patient_id: "P-1001" }, { label: "erased" });
    const { session_id: session, instance } = receiptOf(reply.body);
    const [key, env] = [join(folder, "operator.pem"), { AUDIT_URL: server.url() }];
    await writeFile(key, operator.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    const named = ["--session", session, "--instance", instance, "--reason", "asked for"];
    const recorded = await cmcp(["session", "erase-key", "--url", deployment.gateway.url, "--key", key, ...named]);
    assert.equal(recorded.code, 0, recorded.stderr);
    const store = ["--store-env", "AUDIT_URL", "--origin", "cmcp.localhost/0"];
    for (const erased of [1, 0]) {
      const { stdout, stderr } = await cmcp(["log", "erase-keys", ...store, "--json"], env);
      assert.deepEqual(JSON.parse(stdout), { ok: true, sessions: 1, erased }, stderr);
    }
    const checked = await cmcp(["log", "fsck", ...store], env);
    assert.equal(checked.code, 0, checked.stdout + checked.stderr);
  });

  /** Calls one after the other, each in a session of its own, until it is told to end. */
  function underLoad(request: (label: string) => Promise<Receipt | null>) {
    const receipts: Receipt[] = [];
    const state = { running: true };
    const ended = (async () => {
      for (let count = 0; state.running; count += 1) {
        const receipt = await request(`load-${count}`);
        if (receipt !== null) receipts.push(receipt);
        else await delay(20);
      }
    })();
    return {
      receipts,
      grow: async (by: number) => {
        for (const end = receipts.length + by; receipts.length < end; ) await delay(5);
      },
      end: async () => {
        state.running = false;
        await ended;
        return receipts;
      },
    };
  }

  /** A call's receipt; `null` while the gateway does not answer with one. */
  async function sent(url: string, label: string): Promise<Receipt | null> {
    const params = {
      name: "get_patient_record",
      arguments: { patient_id: "P-1001" },
      _cmcp: { session_id: label },
    };
    try {
      const answer = await fetch(`${url}/mcp`, {
        method: "POST",
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params }),
        headers: {
          authorization: `Bearer ${deployment.tokenOf("alice")}`,
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
        },
        signal: AbortSignal.timeout(20_000),
      });
      return receiptOf((await answer.json()) as RpcReply);
    } catch {
      return null;
    }
  }

  /** Every receipt's leaf is in the log at the place that it names, and the log derives from its records. */
  async function assertKept(receipts: readonly Receipt[]): Promise<void> {
    const store = await openExisting({ url: server.url(), origin: "cmcp.localhost/0" });
    const held = new Map<number, Buffer>();
    for await (const records of store.scan({ kind: "entry" }))
      for (const { index, header } of records) held.set(index, Buffer.from(header));
    await store.close();
    for (const receipt of receipts) assert.deepEqual(held.get(receipt.log.index), Buffer.from(receiptLeaf(receipt)));
    const { code, stderr } = await cmcp(["log", "fsck", "--store-env", "AUDIT_URL", "--origin", "cmcp.localhost/0"], {
      AUDIT_URL: server.url(),
    });
    assert.equal(code, 0, stderr);
  }

  const another = async (): Promise<GatewayProcess> =>
    await startGateway(join(deployment.folder, "deployment/cmcp-config.yaml"), {
      CMCP_DEV_MODE: "1",
      CMCP_AUDIT_DATABASE_URL: server.url(),
    });

  test("goes on when the server is killed in the middle of calls, and nothing acknowledged is lost", async () => {
    const load = underLoad((label) => sent(deployment.gateway.url, label));
    await load.grow(20);
    await server.kill();
    await server.start();
    await load.grow(20);
    await assertKept(await load.end());
  });

  test("that is killed under load is followed by another one, which has everything that was acknowledged", async () => {
    const first = await another();
    // The first gateway of this file has lost the log to it.
    const load = underLoad((label) => sent(first.url, label));
    await load.grow(20);
    await first.kill();
    const receipts = [...(await load.end())];
    const second = await another();
    try {
      const receipt = await sent(second.url, "after");
      assert.ok(receipt !== null && receipt.log.index > Math.max(...receipts.map(({ log }) => log.index)));
      await assertKept([...receipts, receipt]);
    } finally {
      await second.stop();
    }
  });

  test("that another one takes the log from ends with an error that names the store, and is not started again", async () => {
    const first = await another();
    const load = underLoad((label) => sent(first.url, label));
    await load.grow(10);
    const receipts = [...(await load.end())];
    const second = await another();
    try {
      assert.equal(await sent(first.url, "late"), null, "its next append is refused");
      assert.equal(await first.exited, 10);
      const ended = `${first.log()}${first.output()}`;
      assert.match(
        ended,
        /another gateway writes the log in the PostgreSQL database \/\S+\/postgres, so this one ends/,
      );
      assert.doesNotMatch(ended, /"enclave restarts"/);
      const later = await sent(second.url, "after");
      assert.ok(later !== null, "the second serves");
      await assertKept([...receipts, later]);
    } finally {
      await first.kill();
      await second.stop();
    }
  });

  test("that writes all the time is followed by another one, which has everything that was acknowledged", async () => {
    const first = await another();
    const loads = Array.from({ length: 8 }, (_, at) => underLoad((label) => sent(first.url, `${at}-${label}`)));
    let second: GatewayProcess | undefined;
    try {
      await loads[0]?.grow(10);
      second = await another();
      assert.equal(await first.exited, 10, "its next append is refused");
      const receipts = (await Promise.all(loads.map(async (load) => await load.end()))).flat();
      const later = await sent(second.url, "after");
      assert.ok(later !== null, "the second serves");
      await assertKept([...receipts, later]);
    } finally {
      await first.kill();
      await Promise.all(loads.map(async (load) => await load.end()));
      await second?.stop();
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
