/** What was appended to a file outlives the process, and what that costs. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { batch, read, record } from "../../testing/log-records.ts";
import { temporaryDirectory } from "../../testing/temporary-directory.ts";
import { SqliteStore } from "./sqlite-store.ts";

const STORE = JSON.stringify(new URL("./sqlite-store.ts", import.meta.url).href);

test("a durable store syncs each append, and another none; a cosigned head is kept without", (t) => {
  if (spawnSync("strace", ["-V"]).status !== 0) return t.skip("strace is missing, which counts the syncs");
  const syncs = (durable: boolean, then = ""): number => {
    const folder = temporaryDirectory(t);
    const source = `
      const { SqliteStore } = await import(${STORE});
      const store = new SqliteStore("audit.db", { durable: ${durable} });
      for (let first = 0; first < 50; first += 1) {
        await store.append({ first, note: "n", records: [{ session: "s", kind: "k", header: Buffer.from("{}"), body: Buffer.from("b") }] });
        ${then}
      }
      process.kill(process.pid, "SIGKILL");`;
    const { stderr } = spawnSync(
      "strace",
      ["-f", "-e", "trace=fsync,fdatasync", process.execPath, "--no-warnings", "--input-type=module", "--eval", source],
      { cwd: folder, encoding: "utf8" },
    );
    return stderr.split("\n").filter((line) => line.includes("sync(")).length;
  };
  const [alone, both] = [syncs(true), syncs(true, "await store.keepCosigned({ size: first, note: 'n' });")];
  assert.ok(alone >= 50 && both >= 50, "the append after it is synced again");
  assert.ok(both < alone + 10, `${both - alone} more syncs`);
  assert.ok(syncs(false) < 10);
});

test("what was appended survives kill -9 of the process", async (t) => {
  for (const durable of [true, false]) {
    const path = join(temporaryDirectory(t), "audit.db");
    const source = `
      const { SqliteStore } = await import(${STORE});
      const store = new SqliteStore(${JSON.stringify(path)}, { durable: ${durable} });
      store.moveLogAside(() => process.exit(1));
      for (let first = 0; ; first += 1) {
        const body = Buffer.alloc(5000, String(first));
        await store.append({ first, note: "n", records: [{ session: "s", kind: "k", header: Buffer.from("{}"), body }] });
        await store.keepCosigned({ size: first + 1, note: "n" });
        process.stdout.write(first + "\\n");
        if (first % 16 === 0) await new Promise(setImmediate);
      }`;
    const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "--eval", source], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    await once(child.stdout, "data");
    await delay(700);
    child.kill("SIGKILL");
    await once(child, "close");
    // A line that was cut is of an append that came after the last whole one.
    const appended = said.split("\n").length - 1;
    const store = new SqliteStore(path, { durable });
    const size = (await store.head())?.size ?? 0;
    assert.ok(size >= appended && appended > 0, `${appended} were appended, ${size} are there`);
    assert.equal((await read(store)).length, size);
    const cosigned = (await store.cosigned())?.size ?? 0;
    assert.ok(cosigned >= appended && cosigned <= size, `${cosigned} were cosigned`);
    await store.append(batch(size, record("next")));
    await store.close();
  }
});

test("a thread moves the write-ahead log, which is gone with the store", async (t) => {
  const path = join(temporaryDirectory(t), "audit.db");
  const store = new SqliteStore(path, { durable: false });
  store.moveLogAside(() => assert.fail("the thread failed"));
  const body = Buffer.alloc(5_000, 7);
  let size = 0;
  const append = async (): Promise<void> => {
    await store.append(batch(size, record(body, `s${size % 32}`)));
    size += 1;
  };
  for (let count = 0; count < 1_200; count += 1) await append();
  // A log that begins anew does not grow, as its first pages are written over.
  for (let before = 0, bytes = 1; bytes > before; ) {
    before = statSync(`${path}-wal`).size;
    await append();
    bytes = statSync(`${path}-wal`).size;
    await delay(10);
  }
  assert.ok(statSync(`${path}-wal`).size < 8_000 * 4_096, "no append moved it");
  await store.close();
  assert.deepEqual([existsSync(`${path}-wal`), existsSync(`${path}-shm`)], [false, false], "the file is all of it");
  const again = new SqliteStore(path, { durable: false });
  assert.equal((await read(again)).length, size);
  await again.close();
});
