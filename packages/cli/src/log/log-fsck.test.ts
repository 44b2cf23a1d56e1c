import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { zstdCompressSync } from "node:zlib";
import { test } from "node:test";
import { temporaryDirectory } from "../../../../host-proxy/src/testing/temporary-directory.ts";
import { logExport } from "./log-export.ts";
import { logFsck } from "./log-fsck.ts";
import { judgeLog, runJson } from "./testing/run-command.ts";
import { room } from "./testing/room.ts";

/** Changes a store's batches, as a damaged disk or a hostile host does. */
function changeBatches(path: string, change: (records: Buffer) => Uint8Array, where = "first = 1"): void {
  const database = new DatabaseSync(path);
  // nosemgrep: no-string-built-sql — called here with fixed texts
  const rows = database.prepare(`SELECT first, records FROM segments WHERE ${where}`).all();
  assert.equal(rows.length, 1);
  for (const { first: at, records } of rows)
    database
      .prepare("UPDATE segments SET records = ? WHERE first = ?")
      .run(change(Buffer.from(records as Uint8Array)), at ?? 0);
  database.close();
}

const flipped =
  (at: number) =>
  (bytes: Buffer): Buffer => {
    bytes[at < 0 ? bytes.length + at : at] = (bytes[at < 0 ? bytes.length + at : at] ?? 0) ^ 1;
    return bytes;
  };

test("a corrupt batch of a store is found, as it came and compacted", async (t) => {
  const cases: [string, boolean, (records: Buffer) => Uint8Array, string[]][] = [
    ["a leaf", false, flipped(120), ["checkpoint LOG_MISMATCH", "records LOG_MISMATCH"]],
    ["a body", false, flipped(-2), ["records LOG_MISMATCH"]],
    ["a length", false, flipped(0), ["tree AUDIT_STORE_DAMAGED", "records AUDIT_STORE_DAMAGED"]],
    [
      "an end",
      false,
      (records) => records.subarray(0, -9),
      ["tree AUDIT_STORE_DAMAGED", "records AUDIT_STORE_DAMAGED"],
    ],
    ["compressed", true, flipped(300), ["tree AUDIT_STORE_DAMAGED", "records AUDIT_STORE_DAMAGED"]],
    [
      "a bomb",
      true,
      () => zstdCompressSync(Buffer.alloc(64 * 1024 * 1024)),
      ["tree AUDIT_STORE_DAMAGED", "records AUDIT_STORE_DAMAGED"],
    ],
  ];
  for (const [name, compacted, change, expected] of cases) {
    const { log, path } = room(t);
    await log.begin();
    for (let session = 0; session < 3; session += 1) await log.session();
    if (compacted) await log.store.compact({ keep: 0, records: 20 });
    changeBatches(path, change, compacted ? "first = 0" : "first = 1");
    const { code, failed } = await judgeLog(logFsck, "--store", path);
    assert.deepEqual([code, failed.slice(0, expected.length)], [10, expected], `${name}: ${failed.join()}`);
    const exporting = runJson(logExport, "--store", path, `${path}-log`);
    // A body is not in the tree: the export has it as it is, and its verification finds it.
    if (name === "a body") assert.equal((await exporting).code, 0);
    else await assert.rejects(exporting, { code: "AUDIT_STORE_DAMAGED" }, name);
  }
});

test("a store that is not there is refused, and not made", async (t) => {
  const { path } = room(t);
  for (const args of [
    ["--store", `${path}-none`],
    ["--store", temporaryDirectory(t)],
  ])
    for (const command of [logFsck, logExport])
      await assert.rejects(runJson(command, ...args, ...(command === logExport ? ["out"] : [])), {
        code: "AUDIT_STORE_UNAVAILABLE",
      });
  for (const args of [[], ["--store", path, "--store-env", "X"], ["--store-env", "CMCP_NO_SUCH_VARIABLE"]])
    await assert.rejects(runJson(logFsck, ...args), { code: "USAGE" }, args.join(" "));
});
