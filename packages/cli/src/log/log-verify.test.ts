/** `cmcp log export`, `cmcp log verify` and `cmcp log fsck` over logs as gateways write them. */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import type { HandOver } from "@cmcp/audit";
import { rootOf } from "@cmcp/log";
import { temporaryDirectory } from "../../../../host-proxy/src/testing/temporary-directory.ts";
import { signedLostStore } from "../../../audit/src/testing/lost-store.ts";
import { Instance } from "../../../verify/src/testing/instance.ts";
import { backOf, GIVEN } from "../../../verify/src/testing/provisionings.ts";
import { ORIGIN, type WrittenLog } from "../../../verify/src/testing/written-log.ts";
import { logExport } from "./log-export.ts";
import { logFsck } from "./log-fsck.ts";
import { logVerify } from "./log-verify.ts";
import { judgeLog, runJson } from "./testing/run-command.ts";
import { StoredLog } from "./testing/stored-log.ts";
import { room } from "./testing/room.ts";

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
      lostStore: null,
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

test("stored sets that a key brought back are counted, and not held to a provisioning whose body is not there", async (t) => {
  const { log, path, exported } = room(t);
  await log.begin();
  const [back, again] = [backOf(GIVEN), backOf(GIVEN, { sequence: 3 })];
  for (const body of [GIVEN, back, again]) await log.append({ kind: "provision", body });
  const cut = backOf(GIVEN, { sequence: 5 });
  await log.tampered([
    { statement: { kind: "provision", body: { ...GIVEN, sequence: 4 } }, by: { body: () => new Uint8Array() } },
  ]);
  await log.append({ kind: "provision", body: cut });
  for (const [command, where] of [
    [logVerify, [await exported()]],
    [logFsck, ["--store", path]],
  ] as const) {
    const { verdict, failed } = await judgeLog(command, ...where);
    assert.deepEqual(failed, []);
    const why = verdict.checks.find(({ name }) => name === "provisionings")?.why ?? "";
    assert.match(why, /^5, of which a storage key brought 3 back/);
  }
});

test("another origin than the one asked for is rejected", async (t) => {
  const { log, path, exported } = room(t);
  await log.begin();
  const { code, failed } = await judgeLog(logVerify, await exported(), "--origin", "gateway.example/1");
  assert.deepEqual([code, failed], [10, ["origin LOG_MISMATCH"]]);
  await assert.rejects(runJson(logFsck, "--store", path, "--origin", "gateway.example/1"), { code: "LOG_MISMATCH" });
});

describe("a log whose epoch is not the first", () => {
  const LOST = signedLostStore();
  const INCOMPLETE = { state: "incomplete", reason: "lost-store" } as const;
  /** What is found of a log that two instances wrote, in its store and exported. */
  const judged = async (t: TestContext, origin: string, ...said: readonly Partial<HandOver>[]) => {
    const { log, path, exported } = room(t, origin);
    for (const one of said) {
      await log.begin(undefined, one);
      await log.session();
    }
    const [shown, inPlace] = [await judgeLog(logVerify, await exported()), await judgeLog(logFsck, "--store", path)];
    assert.deepEqual([shown.failed, shown.code], [inPlace.failed, inPlace.code]);
    return shown;
  };

  test("is shown with the operator's statement that opened it", async (t) => {
    const said = { lost_store: LOST, history: INCOMPLETE };
    const { failed, code, verdict } = await judged(t, "gateway.example/1", said, { lost_store: LOST });
    assert.deepEqual([failed, code, verdict.log.lostStore], [[], 0, LOST]);
    assert.match(
      verdict.checks.find(({ name }) => name === "epoch")?.why ?? "",
      /^epoch 1, opened after gateway\.example\/0 was lost: it had 45 records/,
    );
  });

  test("is rejected where any hand-over has no statement, or a wrong one", async (t) => {
    const signature = `${LOST.signature[0] === "A" ? "B" : "A"}${LOST.signature.slice(1)}`;
    const said = { lost_store: LOST, history: INCOMPLETE };
    for (const [what, origin, ...of] of [
      ["none", "gateway.example/1", {}],
      ["none later", "gateway.example/1", said, {}],
      ["a complete past", "gateway.example/1", { lost_store: LOST }],
      ["another log", "gateway.example/1", { ...said, lost_store: signedLostStore({ origin: "other.example/0" }) }],
      [
        "the same epoch",
        "gateway.example/1",
        { ...said, lost_store: signedLostStore({ origin: "gateway.example/1" }) },
      ],
      ["a skipped epoch", "gateway.example/2", said],
      ["the first epoch", "gateway.example/0", said],
      ["another signature", "gateway.example/1", { ...said, lost_store: { ...LOST, signature } }],
    ] as const) {
      const { failed, code, verdict } = await judged(t, origin, ...of);
      assert.deepEqual([failed, code, verdict.log.lostStore], [["epoch LOG_MISMATCH"], 10, null], what);
    }
  });

  test("is rejected without bodies: nothing shows what opened it", async (t) => {
    const { log, exported } = room(t, "gateway.example/1");
    await log.begin(undefined, { lost_store: LOST, history: INCOMPLETE });
    const folder = await exported();
    rmSync(join(folder, "bodies"), { recursive: true });
    const { failed } = await judgeLog(logVerify, folder, "--trusted-key", log.instance.jwk.x);
    assert.deepEqual(failed, ["epoch LOG_MISMATCH"]);
  });
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
  ["a changed hash", (folder) => flip(join(folder, "tile/0/000"), 40), 10, ["tree AUDIT_STORE_DAMAGED"]],
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
    ["tree AUDIT_STORE_DAMAGED", "records LOG_MISMATCH"],
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
    (folder) => edit(join(folder, "checkpoint"), (text) => text.replace(ORIGIN, "other.example/0")),
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
