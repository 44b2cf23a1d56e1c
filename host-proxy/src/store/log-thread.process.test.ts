import assert from "node:assert/strict";
import { existsSync, rmSync, statSync } from "node:fs";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { test } from "node:test";
import { temporaryDirectory } from "../testing/temporary-directory.ts";
import { LogThread } from "./log-thread.ts";
import { SqliteStore } from "./sqlite/sqlite-store.ts";

const APPENDS = 6_000;
/** Fill the log beyond what starts its moving, and not as far as where an append moves it itself. */
const FILLING = 1_200;
/** Fills two pages by itself. */
const BODY = Buffer.alloc(5_000, 7);
const PAGE = 4_096;
/** An append that has to move the log itself does that at 8192 pages. */
const FEW_PAGES = 8_000;

const fail = (): never => assert.fail("the thread failed");

const open = (path: string | null): SqliteStore => new SqliteStore(path, { durable: false });

async function append(store: SqliteStore, first: number): Promise<void> {
  const header = Buffer.from(String(first));
  await store.append({ first, note: "n", records: [{ session: `s${first % 32}`, kind: "entry", header, body: BODY }] });
}

async function count(store: SqliteStore): Promise<number> {
  let records = 0;
  for await (const piece of store.scan({})) records += piece.length;
  return records;
}

test("the log is moved while others append, begins anew, and is gone with the store", async (t) => {
  const path = join(temporaryDirectory(t), "audit.db");
  const store = open(path);
  store.moveLogAside(fail);
  let appended = 0;
  for (; appended < FILLING; appended += 1) await append(store, appended);
  // A log that begins anew does not grow, as its first pages are written over.
  for (let before = 0, size = 1; size > before; appended += 1) {
    before = statSync(`${path}-wal`).size;
    await append(store, appended);
    size = statSync(`${path}-wal`).size;
    await delay(10);
  }
  const pages = statSync(`${path}-wal`).size / PAGE;
  assert.ok(pages < FEW_PAGES, `the log grew to ${Math.round(pages)} pages`);
  assert.ok(statSync(path).size > BODY.length * FILLING, "the file has what was moved");
  assert.equal(await count(store), appended);
  await store.close();
  assert.deepEqual(
    [existsSync(`${path}-wal`), existsSync(`${path}-shm`)],
    [false, false],
    "the file alone is the whole store",
  );
  const again = open(path);
  assert.equal(await count(again), appended);
  await again.close();
});

test("a process that dies while its log is moved has lost nothing", async (t) => {
  const path = join(temporaryDirectory(t), "audit.db");
  const source = `
    const { SqliteStore } = await import(${JSON.stringify(new URL("./sqlite/sqlite-store.ts", import.meta.url).href)});
    const store = new SqliteStore(${JSON.stringify(path)}, { durable: false });
    store.moveLogAside(() => process.exit(1));
    const body = Buffer.alloc(${BODY.length}, 7);
    for (let first = 0; ; first += 1) {
      const header = Buffer.from(String(first));
      await store.append({ first, note: "n", records: [{ session: "s", kind: "entry", header, body }] });
      process.stdout.write(first + "\\n");
      await new Promise(setImmediate);
    }`;
  for (const ms of [150, 400, 700]) {
    rmSync(path, { force: true });
    for (const end of ["-wal", "-shm"]) rmSync(`${path}${end}`, { force: true });
    const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "--eval", source], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    await once(child.stdout, "data");
    await delay(ms);
    child.kill("SIGKILL");
    await once(child, "exit");
    // A line that was cut is of an append that came after the last whole one.
    const appended = said.split("\n").length - 1;
    const store = open(path);
    const kept = await count(store);
    assert.ok(kept >= appended && appended > 0, `${appended} were appended, ${kept} are there`);
    await store.close();
  }
});

test("a thread that fails says so, and is asked for nothing more", async (t) => {
  const failed = Promise.withResolvers<void>();
  // The thread holds no process.
  const held = setInterval(() => undefined, 1_000);
  t.after(() => clearInterval(held));
  const thread = new LogThread(
    join(temporaryDirectory(t), "nowhere", "audit.db"),
    () => assert.fail("it moved something"),
    failed.resolve,
  );
  await failed.promise;
  thread.appended(1_000_000);
  await thread.close();
});

test("without a thread appends move the log themselves", async (t) => {
  const path = join(temporaryDirectory(t), "audit.db");
  const store = open(path);
  for (let seq = 0; seq < APPENDS; seq += 1) await append(store, seq);
  const pages = statSync(`${path}-wal`).size / PAGE;
  assert.ok(pages > FEW_PAGES && pages < 8_500, `the log grew to ${Math.round(pages)} pages`);
  await store.close();
});

test("a store in memory has no log to move", async () => {
  const store = open(null);
  store.moveLogAside(fail);
  await append(store, 0);
  await store.close();
});
