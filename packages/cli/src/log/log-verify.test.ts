/** `cmcp log export`, `cmcp log verify` and `cmcp log fsck` over logs as gateways write them. */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { zstdCompressSync } from "node:zlib";
import { dirname, join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { handOverSchema } from "@cmcp/audit";
import { toHex } from "@cmcp/boundary";
import { rootOf } from "@cmcp/log";
import { temporaryDirectory } from "../../../../host-proxy/src/testing/temporary-directory.ts";
import { Instance, relink } from "../../../verify/src/testing/instance.ts";
import { entriesOf } from "../../../verify/src/testing/session.ts";
import { entryStatement, ORIGIN, type WrittenLog } from "../../../verify/src/testing/written-log.ts";
import { logExport } from "./log-export.ts";
import { logFsck } from "./log-fsck.ts";
import { logVerify } from "./log-verify.ts";
import { judgeLog, runJson } from "./testing/run-command.ts";
import { StoredLog } from "./testing/stored-log.ts";

interface Room {
  readonly log: StoredLog;
  /** The store's file. */
  readonly path: string;
  readonly archive: string;
  /** Exports the log. @returns the folder */
  readonly exported: (name?: string, ...args: readonly string[]) => Promise<string>;
}

function room(t: TestContext): Room {
  const folder = temporaryDirectory(t);
  const path = join(folder, "audit.db");
  const archive = join(folder, "archive");
  const log = new StoredLog(path, archive);
  t.after(async () => log.store.close());
  return {
    log,
    path,
    archive,
    exported: async (name = "log", ...args) => {
      assert.equal((await runJson(logExport, "--store", path, join(folder, name), ...args)).code, 0);
      return join(folder, name);
    },
  };
}

/** A log that tests read and none writes to. */
const read = { folder: "", path: "", size: 0 };
let unchanged: StoredLog;
before(async () => {
  const folder = mkdtempSync(join(tmpdir(), "cmcp-log-"));
  read.path = join(folder, "audit.db");
  read.folder = join(folder, "log");
  unchanged = new StoredLog(read.path);
  await history(unchanged);
  read.size = unchanged.range.size;
  await runJson(logExport, "--store", read.path, read.folder);
});
after(async () => {
  await unchanged.store.close();
  rmSync(dirname(read.path), { recursive: true });
});

/** A copy of its export. */
function copied(t: TestContext): string {
  const folder = join(temporaryDirectory(t), "log");
  cpSync(read.folder, folder, { recursive: true });
  return folder;
}

/** Three instances, of which the second ends in the middle of a session; more than two bundles of records. */
async function history(log: WrittenLog): Promise<void> {
  await log.begin();
  for (let session = 0; session < 50; session += 1) await log.session();
  await log.snapshot();
  await log.begin();
  await log.session();
  await log.session(false);
  await log.begin();
  for (let session = 0; session < 20; session += 1) await log.session();
  await log.snapshot();
  await log.session();
}

test("a log of several instances is accepted, in the store and exported", async () => {
  const log = unchanged;
  for (const [command, where] of [
    [logVerify, [read.folder]],
    [logFsck, ["--store", read.path]],
  ] as const) {
    const { code, verdict, failed } = await judgeLog(command, ...where, "--origin", ORIGIN);
    assert.deepEqual([failed, code, verdict.outcome, verdict.origin], [[], 0, "accepted", "not proven"]);
    assert.deepEqual(verdict.log, {
      origin: ORIGIN,
      size: log.range.size,
      root: Buffer.from(rootOf(log.range)).toString("base64"),
    });
    assert.deepEqual([verdict.signingKey, verdict.witnessing], [log.instance.jwk.x, "UNWITNESSED"]);
    const why = new Map(verdict.checks.map((check) => [check.name, check.why]));
    assert.match(why.get("hand-overs") ?? "", /^3,/);
    assert.match(why.get("session chains") ?? "", /; 1 sessions were left open/);
    assert.match(why.get("records") ?? "", /^510 entries, 72 claims;/);
    assert.equal(
      (await judgeLog(command, ...where, "--trusted-key", log.instance.jwk.x)).verdict.origin,
      "trusted key",
    );
    const other = await judgeLog(command, ...where, "--trusted-key", new Instance().jwk.x);
    assert.deepEqual([other.code, other.failed], [10, ["trusted key SIGNATURE_INVALID"]]);
  }
});

test("another origin than the one asked for is rejected", async (t) => {
  const { log, path, exported } = room(t);
  await log.begin();
  const { code, failed } = await judgeLog(logVerify, await exported(), "--origin", "gateway.example/1");
  assert.deepEqual([code, failed], [10, ["origin LOG_MISMATCH"]]);
  await assert.rejects(runJson(logFsck, "--store", path, "--origin", "gateway.example/1"), { code: "LOG_MISMATCH" });
});

test("bodies that are archived are missing, and read where their files are", async (t) => {
  const { log, path, archive, exported } = room(t);
  await history(log);
  await log.store.compact({ keep: 100, records: 100 });
  const archived = await log.store.archive(300);
  assert.ok(archived > 200);
  for (const [command, where, more] of [
    [logVerify, [await exported("without")], 0],
    [logFsck, ["--store", path], 0],
    [logVerify, [await exported("with", "--archive", archive)], 1],
    [logFsck, ["--store", path, "--archive", archive], 1],
  ] as const) {
    const { code, verdict, failed } = await judgeLog(command, ...where);
    assert.deepEqual([failed, code, verdict.withoutBodies], [[], 0, more === 1 ? 0 : archived]);
    assert.equal(
      verdict.checks.some(({ name, status }) => name === "bodies" && status === "not-performed"),
      more === 0,
    );
  }
});

test("an export without any body verifies by its leaves, under a pinned key that nothing shows", async (t) => {
  const folder = copied(t);
  rmSync(join(folder, "bodies"), { recursive: true });
  const { code, failed, verdict } = await judgeLog(logVerify, folder);
  assert.deepEqual([code, failed], [10, ["checkpoint signature SIGNATURE_INVALID"]]);
  assert.equal(verdict.withoutBodies, read.size);
  const pinned = await judgeLog(logVerify, folder, "--trusted-key", unchanged.instance.jwk.x);
  assert.deepEqual([pinned.code, pinned.failed, pinned.verdict.origin], [0, [], "trusted key"]);
});

/** One change of an export, and the checks that it fails. */
const CHANGES: readonly [string, (folder: string) => void, number, readonly string[]][] = [
  ["a truncated tile", (folder) => truncateSync(join(folder, "tile/0/001"), 8191), 30, ["tree LOG_EXPORT_MALFORMED"]],
  ["a tile that is not there", (folder) => rmSync(join(folder, "tile/0/000")), 30, ["tree LOG_EXPORT_MALFORMED"]],
  ["a changed hash", (folder) => flip(join(folder, "tile/0/000"), 40), 10, ["tree AUDIT_STORE_MISMATCH"]],
  [
    "a truncated bundle",
    (folder) => truncateSync(join(folder, "tile/entries/000"), 500),
    30,
    ["tree LOG_EXPORT_MALFORMED", "records LOG_EXPORT_MALFORMED"],
  ],
  [
    "a changed leaf",
    (folder) => flip(join(folder, "tile/entries/000"), 100),
    10,
    ["tree AUDIT_STORE_MISMATCH", "records LOG_MISMATCH"],
  ],
  ["a changed body", (folder) => flip(join(folder, "bodies/000.jsonl"), 100), 10, ["records LOG_MISMATCH"]],
  [
    "bodies that are cut off",
    (folder) => truncateSync(join(folder, "bodies/000.jsonl"), 5000),
    30,
    ["records LOG_EXPORT_MALFORMED"],
  ],
  [
    "a body too few",
    (folder) => edit(join(folder, "bodies/000.jsonl"), (text) => text.replace(/[^\n]*\n$/, "")),
    30,
    ["records LOG_EXPORT_MALFORMED"],
  ],
  [
    "a last body without its newline",
    (folder) => edit(join(folder, "bodies/000.jsonl"), (text) => text.slice(0, -1)),
    30,
    ["records LOG_EXPORT_MALFORMED"],
  ],
  [
    "a body too many",
    (folder) => writeFileSync(join(folder, "bodies/000.jsonl"), "\n", { flag: "a" }),
    30,
    ["records LOG_EXPORT_MALFORMED"],
  ],
  [
    "a changed checkpoint",
    (folder) => edit(join(folder, "checkpoint"), (text) => text.replace(ORIGIN, "gateway.example/1")),
    10,
    ["checkpoint signature SIGNATURE_INVALID"],
  ],
];

test("whatever is changed of an export is found", async (t) => {
  for (const [name, change, code, failed] of CHANGES) {
    const copy = copied(t);
    change(copy);
    const found = await judgeLog(logVerify, copy);
    assert.deepEqual([found.code, found.failed.slice(0, failed.length)], [code, failed], name);
    assert.equal(found.verdict.origin, "not proven");
  }
});

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

function edit(path: string, change: (text: string) => string): void {
  writeFileSync(path, change(readFileSync(path, "utf8")));
}

test("a checkpoint of a later size, of no form, or none at all is no log", async (t) => {
  const folder = copied(t);
  writeFileSync(join(folder, "checkpoint"), unchanged.signed(read.size + 1, rootOf(unchanged.range)));
  const later = await judgeLog(logVerify, folder);
  assert.equal(later.code, 30, later.failed.join());
  writeFileSync(join(folder, "checkpoint"), "checkpoint\n");
  await assert.rejects(judgeLog(logVerify, folder), { code: "NOTE_MALFORMED" });
  rmSync(join(folder, "checkpoint"));
  await assert.rejects(judgeLog(logVerify, folder), { code: "USAGE" });
});

test("an older checkpoint of the same tiles is rejected, as its tiles are others", async (t) => {
  const { log, exported } = room(t);
  await log.begin();
  const older = log.note;
  await log.session();
  const folder = await exported();
  writeFileSync(join(folder, "checkpoint"), older);
  assert.equal((await judgeLog(logVerify, folder)).code, 30, "partial tiles of that size are not there");
});

/** A log that its instance signed, and what is wrong with it all the same. */
const FORGED: readonly [string, (log: WrittenLog) => Promise<unknown>, string][] = [
  ["a first record that is none", (log) => log.append(entryStatement(first(log))), "hand-overs"],
  ["a hand-over of another key", async (log) => log.begin(undefined, { jwk: new Instance().jwk }), "hand-overs"],
  [
    "a hand-over of another head",
    async (log) => {
      await log.begin();
      const predecessor = { size: 1, root: "00".repeat(32), instance: log.instance.name };
      await log.begin(undefined, { predecessor });
    },
    "hand-overs",
  ],
  [
    "a hand-over of another size",
    async (log) => {
      await log.begin();
      const predecessor = { size: 2, root: toHex(rootOf(log.range)), instance: log.instance.name };
      await log.begin(undefined, { predecessor });
    },
    "hand-overs",
  ],
  [
    "a hand-over that is not its instance's first record",
    async (log) => {
      await log.begin();
      const predecessor = { size: 1, root: toHex(rootOf(log.range)), instance: log.instance.name };
      const [again] = log.records.map(({ body }) => handOverSchema.parse(JSON.parse(new TextDecoder().decode(body))));
      assert.ok(again !== undefined);
      await log.append({ kind: "hand-over", body: { ...again, predecessor } });
    },
    "hand-overs",
  ],
  [
    "a session without its start",
    async (log) => {
      await log.begin();
      await log.append(...relink(entriesOf(log.instance).slice(-1)).map(entryStatement));
    },
    "session chains",
  ],
  [
    "a hand-over that continues nothing",
    async (log) => {
      await log.begin();
      await log.begin(undefined, { predecessor: null });
    },
    "hand-overs",
  ],
  [
    "a hand-over after an instance that did not sign",
    async (log) => {
      await log.begin();
      const predecessor = { size: 1, root: toHex(rootOf(log.range)), instance: new Instance().name };
      await log.begin(undefined, { predecessor });
    },
    "hand-overs",
  ],
  [
    "a record of an earlier instance",
    async (log) => {
      await log.begin();
      const before = log.instance.name;
      await log.begin();
      await log.tampered([{ statement: entryStatement(first(log)), by: { instance: before } }]);
    },
    "hand-overs",
  ],
  [
    "a number that is left out",
    async (log) => {
      await log.begin();
      await log.tampered([{ statement: entryStatement(first(log)), by: { seq: 2 } }]);
    },
    "hand-overs",
  ],
  [
    "an entry that is left out",
    async (log) => {
      await log.begin();
      await log.append(
        ...entriesOf(log.instance)
          .filter((_, at) => at !== 2)
          .map(entryStatement),
      );
    },
    "session chains",
  ],
  [
    "an entry of another chain",
    async (log) => {
      await log.begin();
      const [one, other] = [entriesOf(log.instance), entriesOf(log.instance)];
      const stranger = { ...other[1], session_id: one[0]?.session_id };
      await log.append(...one.slice(0, 1).map(entryStatement), entryStatement(stranger as never));
    },
    "records",
  ],
  [
    "an entry after the end of its session",
    async (log) => {
      await log.begin();
      const entries = entriesOf(log.instance);
      await log.append(...entries.map(entryStatement), ...entries.slice(-1).map(entryStatement));
    },
    "session chains",
  ],
  [
    "a session that goes on under another instance",
    async (log) => {
      await log.begin();
      const entries = entriesOf(log.instance);
      await log.append(...entries.slice(0, 3).map(entryStatement));
      await log.begin();
      await log.append(...entries.slice(3).map(entryStatement));
    },
    "session chains",
  ],
  [
    "an entry that does not hash to its hash",
    async (log) => {
      await log.begin();
      const [start] = entriesOf(log.instance);
      await log.append({ kind: "entry", body: { ...start, entry_hash: "0".repeat(64) } as never });
    },
    "records",
  ],
  [
    "a leaf of no known form",
    async (log) => {
      await log.begin();
      const header = (): Uint8Array => Buffer.from("{}");
      await log.tampered([{ statement: entryStatement(first(log)), by: { header } }]);
    },
    "records",
  ],
];

function first({ instance }: WrittenLog) {
  const [entry] = entriesOf(instance);
  assert.ok(entry !== undefined);
  return entry;
}

for (const [name, write, subject] of FORGED)
  test(`${name} is found`, async (t) => {
    const { log, path, exported } = room(t);
    await write(log);
    for (const [command, where] of [
      [logVerify, [await exported()]],
      [logFsck, ["--store", path]],
    ] as const) {
      const { code, failed } = await judgeLog(command, ...where);
      assert.equal(code, 10);
      assert.ok(failed.includes(`${subject} LOG_MISMATCH`), failed.join());
    }
  });

test("a checkpoint that an earlier instance signed is rejected", async (t) => {
  const { log, exported } = room(t);
  await log.begin();
  const { instance: earlier } = log;
  await log.begin();
  const folder = await exported();
  const note = log.signed(log.range.size, rootOf(log.range), { instance: earlier, origin: ORIGIN });
  writeFileSync(join(folder, "checkpoint"), note);
  const { code, failed } = await judgeLog(logVerify, folder);
  assert.deepEqual([code, failed], [10, ["checkpoint signature SIGNATURE_INVALID"]]);
});

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
    ["a length", false, flipped(0), ["tree AUDIT_STORE_MISMATCH", "records AUDIT_STORE_MISMATCH"]],
    [
      "an end",
      false,
      (records) => records.subarray(0, -9),
      ["tree AUDIT_STORE_MISMATCH", "records AUDIT_STORE_MISMATCH"],
    ],
    ["compressed", true, flipped(300), ["tree AUDIT_STORE_MISMATCH", "records AUDIT_STORE_MISMATCH"]],
    [
      "a bomb",
      true,
      () => zstdCompressSync(Buffer.alloc(64 * 1024 * 1024)),
      ["tree AUDIT_STORE_MISMATCH", "records AUDIT_STORE_MISMATCH"],
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
    else await assert.rejects(exporting, { code: "AUDIT_STORE_MISMATCH" }, name);
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
