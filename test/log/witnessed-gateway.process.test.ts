/** The gateway as it is shipped, with real witnesses of its log. */
import assert from "node:assert/strict";
import { appendFile, cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync, backup } from "node:sqlite";
import { describe, test, type TestContext } from "node:test";
import { SqliteStore } from "@cmcp/host-proxy";
import { clientOf, type Client } from "../gateway/client.ts";
import { receiptOf, type RpcReply } from "../gateway/fixture.ts";
import { developmentEnvironment, startGateway, StartRefused, type Gateway } from "../gateway/gateway.ts";
import { newOperator, resetAfter } from "../gateway/operator.ts";
import { readStored, recordsIn } from "../hostile/stored-records.ts";
import { hasGo, NO_GO } from "./oracle.ts";
import { deployWitnessed, type WitnessedDeployment } from "./witnessed-deployment.ts";

const TOKEN = "witnessed-gateway-test-token-0123456789";
const ENVIRONMENT = developmentEnvironment(TOKEN);
/** Long enough for a round on a busy machine, and short enough to see it end. */
const WAIT_MS = 3_000;

async function started(t: TestContext, config: string): Promise<{ gateway: Gateway; client: Client }> {
  const gateway = await startGateway(config, ENVIRONMENT);
  t.after(() => gateway.kill());
  return { gateway, client: clientOf(gateway, TOKEN) };
}

const send = async (client: Client): Promise<RpcReply> =>
  (await client.call("send_message", "s", { to: "x", text: "x" })).body;
const read = async (client: Client): Promise<RpcReply> =>
  (await client.call("get_patient_record", "s", { patient_id: "p-1" })).body;

function assertUnwitnessed(reply: RpcReply): void {
  assert.match(JSON.stringify(reply), /WITNESS_UNAVAILABLE/);
}

async function ready({ url }: Gateway): Promise<number> {
  return (await fetch(`${url}/readyz`)).status;
}

/** What the start of a configuration is refused with. */
async function refusal(config: string): Promise<string> {
  const thrown: unknown = await startGateway(config, ENVIRONMENT).then(
    (gateway) => gateway.kill(),
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof StartRefused, "the start is refused");
  return thrown.output;
}

/** Another instance of the same origin: the same configuration and key, and its own copy of the store as it is. */
async function another({ folder }: WitnessedDeployment, name: string, withStore: boolean): Promise<string> {
  const copy = `${folder}-${name}`;
  await cp(folder, copy, { recursive: true, filter: (path) => !path.includes("audit.db") });
  if (withStore) {
    const database = new DatabaseSync(join(folder, "audit.db"));
    await backup(database, join(copy, "audit.db"));
    database.close();
  }
  return join(copy, "cmcp-config.yaml");
}

describe("a gateway with witnesses", { skip: hasGo() ? false : NO_GO }, () => {
  test("serves while a quorum cosigns; without one a call is not sent, and a stop does not wait", async (t) => {
    const deployment = await deployWitnessed(t, WAIT_MS);
    const { records, witnesses, folder, policy } = deployment;
    const { gateway, client } = await started(t, deployment.config);
    assert.ok("result" in (await send(client)));
    assert.equal(records.calls.length, 1);
    assert.equal(await ready(gateway), 200);

    const [first, second, third] = witnesses;
    await first?.kill();
    assert.ok("result" in (await send(client)), "two of three are a quorum");
    assert.equal(records.calls.length, 2);

    await second?.kill();
    assertUnwitnessed(await send(client));
    assert.equal(records.calls.length, 2, "the server received nothing");
    assert.equal(await ready(gateway), 503);

    await second?.start();
    while ((await ready(gateway)) !== 200) await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok("result" in (await send(client)), "the log goes on where it was");
    assert.equal(records.calls.length, 3, "and the call that was given up was never sent");

    await second?.kill();
    await third?.kill();
    assert.equal(await gateway.stop(), 0, "the session has its claim");
    const store = new SqliteStore(join(folder, "audit.db"), { durable: true });
    t.after(() => store.close());
    const [handOver] = (await recordsIn(store, { kind: "hand-over" })).map(readStored);
    assert.ok(handOver?.kind === "hand-over");
    assert.equal(handOver.body.witnesses, policy);
    assert.equal((await recordsIn(store, { kind: "claim" })).length, 1);
  });

  test("does not start without a quorum", async (t) => {
    const { config, witnesses } = await deployWitnessed(t, 500);
    await witnesses[0]?.kill();
    await witnesses[1]?.kill();
    assert.match(await refusal(config), /WITNESS_UNAVAILABLE/);
    await witnesses[0]?.start();
    const { client } = await started(t, config);
    assert.ok("result" in (await send(client)));
  });

  test("does not start beside another of its origin: not on an empty store, and not on an older one", async (t) => {
    const deployment = await deployWitnessed(t, WAIT_MS);
    const { client } = await started(t, deployment.config);
    const older = await another(deployment, "older", true);
    assert.ok("result" in (await send(client)));
    assert.match(await refusal(await another(deployment, "empty", false)), /WITNESS_UNAVAILABLE/);
    assert.match(await refusal(older), /WITNESS_UNAVAILABLE/);
    assert.ok("result" in (await send(client)), "the first goes on");
  });

  test("cut off while another goes on from its log sends nothing", async (t) => {
    const deployment = await deployWitnessed(t, WAIT_MS);
    const { records } = deployment;
    const a = await started(t, deployment.config);
    assert.ok("result" in (await send(a.client)));
    const b = await started(t, await another(deployment, "b", true));
    assert.ok("result" in (await read(b.client)), "read on B");
    const before = records.calls.length;
    assertUnwitnessed(await send(a.client));
    assert.equal(records.calls.length, before, "send on A: the server receives nothing");
    assert.equal(await ready(a.gateway), 503);
    assert.match(JSON.stringify(await send(b.client)), /POLICY_DENY/, "and B knows what was read");
    assert.equal(await ready(b.gateway), 200);
  });

  test("goes on under another quorum only with the quorum before it on the same head", async (t) => {
    const { config, policy, witnesses } = await deployWitnessed(t, WAIT_MS);
    const first = await started(t, config);
    assert.ok("result" in (await read(first.client)));
    assert.equal(await first.gateway.stop(), 0);
    const text = await readFile(config, "utf8");
    const log = {
      origin: "gateway.example/0",
      predecessors: [{ launch_digest: first.gateway.launch_digest }],
      witnesses: policy.replace("quorum g", "quorum a"),
      witness_wait_ms: WAIT_MS,
    };
    const former = `former_witnesses: ${JSON.stringify(policy)}\n`;
    await writeFile(config, `${text.replace(/^log: .*$/m, `log: ${JSON.stringify(log)}`)}${former}`);
    await witnesses[1]?.kill();
    await witnesses[2]?.kill();
    assert.match(await refusal(config), /WITNESS_UNAVAILABLE/, "the new quorum alone is not enough");
    await witnesses[1]?.start();
    const { client } = await started(t, config);
    assert.match(JSON.stringify(await send(client)), /POLICY_DENY/, "what was read before counts");
  });

  test("acknowledges an operator's act once a quorum has cosigned it", async (t) => {
    const { config, witnesses } = await deployWitnessed(t, WAIT_MS);
    const operator = newOperator();
    await appendFile(config, `enclave: ${JSON.stringify({ operator_keys: [operator.publicKey] })}\n`);
    const { gateway, client } = await started(t, config);
    const reset = async (sequence: number): Promise<readonly [number, string]> => {
      const receipt = receiptOf(await send(client));
      const body = JSON.stringify(operator.sign(resetAfter(receipt, sequence)));
      await kill();
      const reply = await fetch(`${gateway.url}/sessions/${receipt.session_id}/reset`, { method: "POST", body });
      return [reply.status, await reply.text()];
    };
    let kill = async (): Promise<void> => undefined;
    assert.equal((await reset(1))[0], 200);
    kill = async () => void (await Promise.all([witnesses[0]?.kill(), witnesses[1]?.kill()]));
    const [status, text] = await reset(2);
    assert.equal(status, 503);
    assert.match(text, /WITNESS_UNAVAILABLE/);
  });
});
