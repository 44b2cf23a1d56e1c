/** A gateway that is killed between its store and its witnesses, both real: the store has what the witnesses have not seen. */
import assert from "node:assert/strict";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { receiptLeaf, type Receipt } from "@cmcp/audit";
import { openExisting } from "@cmcp/host-proxy/store";
import { temporaryDirectory } from "../../host-proxy/src/testing/temporary-directory.ts";
import { cmcp } from "../gateway/cli.ts";
import { clientOf, type Client } from "../gateway/client.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { developmentEnvironment, startGateway, type Gateway } from "../gateway/gateway.ts";
import { readStored } from "../hostile/stored-records.ts";
import { hasGo, NO_GO } from "./oracle.ts";
import { deployWitnessed } from "./witnessed-deployment.ts";

const TOKEN = "power-cut-test-token-0123456789-power-cut";
const WAIT_MS = 20_000;

async function started(t: TestContext, config: string): Promise<{ gateway: Gateway; client: Client }> {
  const gateway = await startGateway(config, developmentEnvironment(TOKEN));
  t.after(() => gateway.kill());
  return { gateway, client: clientOf(gateway, TOKEN) };
}

const sent = async (client: Client): Promise<Receipt> =>
  receiptOf((await client.call("send_message", "s", { to: "x", text: "x" })).body);

/** The records of a store beside the one who writes it, read by a connection of its own. */
async function recordsOf(
  path: string,
): Promise<readonly { readonly index: number; readonly header: Buffer; readonly kind: string }[]> {
  const store = await openExisting({ path });
  const found = [];
  for await (const piece of store.scan({}))
    for (const record of piece)
      found.push({ index: record.index, header: Buffer.from(record.header), kind: readStored(record).kind });
  await store.close();
  return found;
}

async function assertHolds(path: string, receipts: readonly Receipt[]): Promise<void> {
  const records = await recordsOf(path);
  for (const receipt of receipts)
    assert.deepEqual(records[receipt.log.index]?.header, Buffer.from(receiptLeaf(receipt)), `${receipt.log.index}`);
}

describe("a gateway with witnesses that loses power", { skip: hasGo() ? false : NO_GO }, () => {
  test("after the store has a batch and before a quorum has its head goes on, witnessed, and nothing acknowledged is lost", async (t) => {
    const { config, folder, witnesses, records } = await deployWitnessed(t, WAIT_MS);
    const store = join(folder, "audit.db");
    const first = await started(t, config);
    const receipts = [await sent(first.client), await sent(first.client)];
    const before = (await recordsOf(store)).length;

    await Promise.all(witnesses.map(async (witness) => await witness.kill()));
    const cut = first.client.call("send_message", "s", { to: "x", text: "never" }).catch(() => null);
    // The intent is in the store, and no witness is there to see its head.
    while (!(await recordsOf(store)).slice(before).some(({ kind }) => kind === "intent")) await delay(10);
    await first.gateway.kill();
    assert.equal(await cut, null, "the call was never answered");
    const stored = (await recordsOf(store)).length;
    assert.equal(records.calls.length, 2, "nor sent");

    await Promise.all(witnesses.map(async (witness) => await witness.start()));
    const second = await started(t, config);
    const receipt = await sent(second.client);
    assert.ok(receipt.log.index >= stored, "it goes on behind what the witnesses had not seen");
    assert.equal((await fetch(`${second.gateway.url}/readyz`)).status, 200);
    assert.equal(await second.gateway.stop(), 0);
    await assertHolds(store, [...receipts, receipt]);
    const { code, stderr } = await cmcp(["log", "fsck", "--store", store]);
    assert.equal(code, 0, stderr);
  });

  test("has in its files what it has acknowledged, at the moment of the acknowledgement", async (t) => {
    const { config, folder } = await deployWitnessed(t, WAIT_MS);
    const { client } = await started(t, config);
    const copies = temporaryDirectory(t);
    const receipts: Receipt[] = [];
    for (let taken = 0; taken < 5; taken += 1) {
      receipts.push(await sent(client));
      // The files as they are, without asking SQLite: what a disk has after a loss of power. The index of the log (-shm) is made anew.
      const copy = join(copies, `${taken}.db`);
      await Promise.all(["", "-wal"].map(async (end) => copyFile(join(folder, `audit.db${end}`), `${copy}${end}`)));
      await assertHolds(copy, receipts);
    }
  });
});
