import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { examine } from "@cmcp/boundary";
import { treeArchive } from "@cmcp/spawner/tree";
import { ExchangePool, unixDialer } from "@cmcp/wire";
import { egressAllowList } from "../egress/allow-list.ts";
import { EgressRelay } from "../egress/relay.ts";
import { listenServices } from "../services.ts";
import { SqliteStore } from "../store/sqlite/sqlite-store.ts";
import { memoryLog } from "../testing/memory-log.ts";
import { temporaryDirectory } from "../testing/temporary-directory.ts";

async function serving(t: TestContext, trees: readonly string[]): Promise<ExchangePool> {
  const path = join(temporaryDirectory(t), "services.sock");
  const { log } = memoryLog();
  const relay = new EgressRelay(egressAllowList([]), log);
  const listener = await listenServices(path, { relay, store: new SqliteStore(null, { durable: false }), log, trees });
  const pool = new ExchangePool(unixDialer(path), { maxStreams: 4 });
  t.after(async () => {
    await pool.close();
    await listener.close();
  });
  return pool;
}

async function asked(pool: ExchangePool, tree: string): Promise<Buffer> {
  const exchange = await pool.open({ t: "tree", tree });
  await exchange.end();
  await exchange.head;
  const chunks: Uint8Array[] = [];
  for await (const part of exchange.body) chunks.push(examine(part));
  return Buffer.concat(chunks);
}

test("the archive of a stdio server's files is sent whole, and that of other files not at all", async (t) => {
  const folder = temporaryDirectory(t);
  const [tree, other] = [join(folder, "tree"), join(folder, "other")];
  for (const path of [tree, other]) mkdirSync(path);
  writeFileSync(join(tree, "main.mjs"), Buffer.alloc(200_000, "x"));
  const pool = await serving(t, [tree]);
  assert.deepEqual(await asked(pool, tree), Buffer.concat([...treeArchive(tree)]));
  for (const path of [other, `${tree}/main.mjs`, `${tree}/../tree`, "/etc/passwd"])
    await assert.rejects(asked(pool, path), { code: "SPAWN_TREE_REFUSED" }, path);
});

test("files that cannot be archived are an error, also when a part was sent", async (t) => {
  const tree = temporaryDirectory(t);
  writeFileSync(join(tree, "a"), Buffer.alloc(200_000, "x"));
  symlinkSync("/etc/passwd", join(tree, "b"));
  const missing = join(tree, "missing");
  const pool = await serving(t, [tree, missing]);
  for (const path of [tree, missing]) await assert.rejects(asked(pool, path), { code: "SPAWN_TREE_REFUSED" });
});
