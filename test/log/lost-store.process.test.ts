/** A gateway whose store is lost: the next epoch of its log, by an operator's statement, as it is shipped. */
import assert from "node:assert/strict";
import { copyFile, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync, backup } from "node:sqlite";
import { describe, test, type TestContext } from "node:test";
import { SqliteStore } from "@cmcp/host-proxy";
import { temporaryDirectory } from "../../host-proxy/src/testing/temporary-directory.ts";
import { cmcp, type CommandResult } from "../gateway/cli.ts";
import { clientOf, type Client } from "../gateway/client.ts";
import { deployQuickstart, listenOnAnyPort } from "../gateway/deployment.ts";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { developmentEnvironment, startGateway, StartRefused, type Gateway } from "../gateway/gateway.ts";
import { newOperator, resetAfter } from "../gateway/operator.ts";
import { readStored, recordsIn } from "../hostile/stored-records.ts";
import { startRecordsServer } from "../servers/records-server.ts";
import { hasGo, NO_GO } from "./oracle.ts";
import { deployWitnessed } from "./witnessed-deployment.ts";

const TOKEN = "lost-store-test-token-0123456789abcdef";
const ENVIRONMENT = developmentEnvironment(TOKEN);
const ORIGIN = "gateway.example/0";
const NEXT = "gateway.example/1";
const WAIT_MS = 3_000;
const operator = newOperator();

type Settings = Readonly<Record<string, unknown>>;

/** A configuration of which a test changes the log. */
interface Room {
  readonly config: string;
  readonly folder: string;
  /** Starts it with these settings of its log. */
  readonly start: (log: Settings) => Promise<{ readonly gateway: Gateway; readonly client: Client }>;
  /** What such a start is refused with. */
  readonly refusal: (log: Settings) => Promise<string>;
  /** What an operator's `cmcp log lost` prints for the configuration. */
  readonly lost: (...args: readonly string[]) => Promise<Settings>;
}

async function roomOf(t: TestContext, config: string, folder: string): Promise<Room> {
  const text = (await readFile(config, "utf8")).replace(/^log: .*$\n/m, "");
  const key = join(folder, "operator.pem");
  await writeFile(key, operator.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  const write = async (log: Settings): Promise<void> => {
    const enclave = { operator_keys: [operator.publicKey] };
    await writeFile(config, `${text}enclave: ${JSON.stringify(enclave)}\nlog: ${JSON.stringify(log)}\n`);
  };
  return {
    config,
    folder,
    start: async (log) => {
      await write(log);
      const gateway = await startGateway(config, ENVIRONMENT);
      t.after(() => gateway.kill());
      return { gateway, client: clientOf(gateway, TOKEN) };
    },
    refusal: async (log) => {
      await write(log);
      const thrown: unknown = await startGateway(config, ENVIRONMENT).then(
        (gateway) => gateway.kill(),
        (error: unknown) => error,
      );
      assert.ok(thrown instanceof StartRefused, "the start is refused");
      return thrown.output;
    },
    lost: async (...args) => {
      const named = ["--origin", ORIGIN, "--key", key, "--reason", "the disk is gone", ...args];
      const { code, stdout, stderr } = await cmcp(["log", "lost", ...named, "--json"]);
      assert.equal(code, 0, stderr);
      const { origin, lost_store } = JSON.parse(stdout) as Settings;
      return { origin, lost_store };
    },
  };
}

/** The quickstart with an operator, without witnesses. */
async function deployed(t: TestContext): Promise<Room> {
  const folder = join(temporaryDirectory(t), "deployment");
  const records = await startRecordsServer();
  t.after(() => records.close());
  const { port: recordsPort, fingerprint: recordsFingerprint } = records;
  const config = await deployQuickstart(folder, { everythingPort: 1, recordsPort, recordsFingerprint });
  await listenOnAnyPort(config);
  return await roomOf(t, config, folder);
}

const send = async (client: Client): Promise<RpcReply> =>
  (await client.call("send_message", "s", { to: "x", text: "x" })).body;

/** What the root entry of a decision's session says of the past. */
async function rootOf(client: Client, reply: RpcReply): Promise<readonly unknown[]> {
  const { entries } = await client.export(receiptOf(reply).session_id);
  const { detail } = entries[0] ?? assert.fail("no entries");
  return [detail?.["history"], detail?.["history_reason"], detail?.["lost_store"]];
}

const failedIn = ({ stdout }: CommandResult): readonly string[] =>
  (JSON.parse(stdout) as { checks: { name: string; status: string }[] }).checks.flatMap(({ name, status }) =>
    status === "failed" ? [name] : [],
  );

describe("a gateway whose store is lost", () => {
  test("goes on in the next epoch with every principal at the highest label, and verifiers show why", async (t) => {
    const { folder, start, lost } = await deployed(t);
    const file = (name: string): string => join(folder, name);
    const first = await start({ origin: ORIGIN });
    assert.ok("result" in (await send(first.client)));
    assert.equal(await first.gateway.stop(), 0);
    const exported = await cmcp(["log", "export", "--store", file("audit.db"), file("old")]);
    assert.equal(exported.code, 0, exported.stderr);
    await rename(file("audit.db"), file("lost.db"));

    const log = await lost("--checkpoint", join(file("old"), "checkpoint"));
    const second = await start(log);
    const { history } = await second.client.json("/v1/status");
    assert.deepEqual(history, { state: "incomplete", reason: "lost-store" });
    const denied = await send(second.client);
    assert.match(JSON.stringify(denied), /SESSION_SENSITIVITY_POLICY_DENY/);
    const receipt = receiptOf(denied);
    const claim = await second.client.close(receipt.session_id);
    assert.deepEqual(await rootOf(second.client, denied), ["incomplete", "lost-store", ORIGIN]);
    assert.equal(await second.gateway.stop(), 0);

    const third = await start(log);
    const again = await send(third.client);
    assert.match(JSON.stringify(again), /SESSION_SENSITIVITY_POLICY_DENY/, "a restart does not lower it");
    assert.deepEqual(await rootOf(third.client, again), ["complete", undefined, ORIGIN]);
    const reset = operator.sign(resetAfter(receiptOf(again), 1));
    const { status } = await fetch(`${third.gateway.url}/sessions/${reset.statement.session_id}/reset`, {
      method: "POST",
      body: JSON.stringify(reset),
    });
    assert.equal(status, 200);
    assert.ok("result" in (await send(third.client)), "an operator lowers it");
    assert.equal(await third.gateway.stop(), 0);

    const store = new SqliteStore(file("audit.db"), { durable: false });
    t.after(() => store.close());
    for (const record of (await recordsIn(store, { kind: "hand-over" })).map(readStored)) {
      assert.ok(record.kind === "hand-over");
      assert.deepEqual(record.body.lost_store, log["lost_store"]);
    }
    await writeFile(file("claim.json"), JSON.stringify(claim));
    assert.equal((await cmcp(["log", "export", "--store", file("audit.db"), file("new")])).code, 0);
    for (const command of [
      ["log", "verify", file("new")],
      ["log", "fsck", "--store", file("audit.db")],
      ["verify", file("claim.json"), "--log", file("new"), "--allow-software-only"],
    ]) {
      const text = await cmcp(command);
      assert.match(text.stdout, /^ACCEPTED[^\n]*, AFTER A LOST STORE\)/, text.stdout);
      assert.match(text.stdout, /epoch 1, opened after gateway\.example\/0 was lost: it had \d+ records/);
      const found = JSON.parse((await cmcp([...command, "--json"])).stdout) as { log: { lostStore: unknown } };
      assert.deepEqual(found.log.lostStore, log["lost_store"]);
    }
    // Somebody else's log of the same records, under an epoch that the statement does not open.
    const checkpoint = join(file("new"), "checkpoint");
    await writeFile(checkpoint, (await readFile(checkpoint, "utf8")).replace(NEXT, "gateway.example/2"));
    assert.ok(failedIn(await cmcp(["log", "verify", file("new"), "--json"])).includes("epoch"));
    const claimed = ["verify", file("claim.json"), "--log", file("new"), "--allow-software-only", "--json"];
    assert.ok(failedIn(await cmcp(claimed)).includes("log epoch"));
  });

  test("does not count a principal's history as complete", async (t) => {
    const { folder, start, lost } = await deployed(t);
    const manifest = join(folder, "policies/manifest.json");
    const counted = { name: "sent", of: "calls", tool: "send_message", window_seconds: 600 };
    await writeFile(
      manifest,
      JSON.stringify({ ...(JSON.parse(await readFile(manifest, "utf8")) as object), history: [counted] }),
    );
    await writeFile(
      join(folder, "policies/history.cedar"),
      `@id("history-known")
      forbid (principal, action == cMCP::Action::"call_tool", resource) when { !context.history_complete };`,
    );
    const first = await start({ origin: ORIGIN });
    const read = async (client: Client): Promise<string> =>
      JSON.stringify((await client.call("get_patient_record", "s", { patient_id: "P-1001" })).body);
    assert.doesNotMatch(await read(first.client), /POLICY_DENY/);
    assert.equal(await first.gateway.stop(), 0);
    await rename(join(folder, "audit.db"), join(folder, "lost.db"));
    const second = await start(await lost());
    assert.match(await read(second.client), /POLICY_DENY/);
  });

  test("does not start in the next epoch on the store of the one before, nor without an operator's statement", async (t) => {
    const { folder, start, refusal, lost } = await deployed(t);
    const first = await start({ origin: ORIGIN });
    assert.equal(await first.gateway.stop(), 0);
    const log = await lost();
    const held = await refusal(log);
    assert.match(held, /AUDIT_STORE_MISMATCH/);
    assert.match(held, /gateway\.example\/0/);
    await rename(join(folder, "audit.db"), join(folder, "lost.db"));
    assert.match(await refusal({ origin: NEXT }), /CONFIG_INVALID.*log\.lost_store/);
    assert.match(await refusal({ ...log, origin: "gateway.example/2" }), /CONFIG_INVALID.*log\.lost_store/);
    await start(log);
  });
});

describe("a gateway with witnesses whose store is lost", { skip: hasGo() ? false : NO_GO }, () => {
  test("does not start on a back-up short of the witnessed size, and does in the next epoch", async (t) => {
    const { config, folder, witnesses, policy, acceptLog } = await deployWitnessed(t, WAIT_MS);
    const { start, refusal, lost } = await roomOf(t, config, folder);
    const witnessed = { witnesses: policy, witness_wait_ms: WAIT_MS };
    const file = (name: string): string => join(folder, name);
    const first = await start({ origin: ORIGIN, ...witnessed });
    const database = new DatabaseSync(file("audit.db"));
    await backup(database, file("backup.db"));
    database.close();
    assert.ok("result" in (await send(first.client)), "witnesses have seen more than the back-up");
    assert.equal(await first.gateway.stop(), 0);
    await rename(file("audit.db"), file("gone.db"));
    await copyFile(file("backup.db"), file("audit.db"));
    assert.match(await refusal({ origin: ORIGIN, ...witnessed }), /WITNESS_UNAVAILABLE/, "it is short");

    const log = { ...(await lost()), ...witnessed };
    await rename(file("audit.db"), file("short.db"));
    await rename(file("log.key"), file("old.key"));
    assert.match(await refusal(log), /WITNESS_UNAVAILABLE/, "no witness knows the next epoch");
    await acceptLog(witnesses, NEXT);
    const second = await start(log);
    const denied = await send(second.client);
    assert.match(JSON.stringify(denied), /SESSION_SENSITIVITY_POLICY_DENY/);
    // The start that found no quorum has left its hand-over, so this one found a log.
    assert.deepEqual(await rootOf(second.client, denied), ["complete", undefined, ORIGIN]);
  });

  test("goes on in the next epoch under other witnesses where the old quorum is out of reach", async (t) => {
    const { config, folder, witnesses, policy, acceptLog } = await deployWitnessed(t, WAIT_MS);
    const { start, refusal, lost } = await roomOf(t, config, folder);
    const first = await start({ origin: ORIGIN, witnesses: policy, witness_wait_ms: WAIT_MS });
    assert.equal(await first.gateway.stop(), 0);
    const [a, b, c] = witnesses;
    await Promise.all([b?.kill(), c?.kill()]);
    const alone = { witnesses: policy.replace("quorum g", "quorum a"), witness_wait_ms: WAIT_MS };
    const predecessors = [{ launch_digest: first.gateway.launch_digest }];
    assert.match(await refusal({ origin: ORIGIN, predecessors, ...alone }), /WITNESS_UNAVAILABLE/);

    await rename(join(folder, "audit.db"), join(folder, "old.db"));
    await rename(join(folder, "log.key"), join(folder, "old.key"));
    await acceptLog(a === undefined ? [] : [a], NEXT);
    const second = await start({ ...(await lost()), ...alone });
    assert.match(JSON.stringify(await send(second.client)), /SESSION_SENSITIVITY_POLICY_DENY/);
  });
});
